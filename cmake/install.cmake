# What `cmake --install` puts where: the program, libheed.so, the public headers, and the package that
# find_package(Heed) finds. The library's own dependencies are linked privately, so the package needs no other.
include(CMakePackageConfigHelpers)

if(TARGET heed)
  install(TARGETS heed RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET heed_library)
  set(HEED_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Heed)
  install(TARGETS heed_library EXPORT HeedTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/heed DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT HeedTargets NAMESPACE Heed:: FILE HeedConfig.cmake DESTINATION ${HEED_PACKAGE_DIR})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/HeedConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/HeedConfigVersion.cmake DESTINATION ${HEED_PACKAGE_DIR})
endif()
