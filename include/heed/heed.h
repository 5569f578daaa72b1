// Heed's public surface: #include <heed/heed.h>, find_package(Heed), link Heed::heed. C++20.
//
//   heed::Translator           loads a model folder, translates, scores          heed/translator.h
//   heed::train_translation    trains a translation model                        heed/trainer.h
//   heed::Exception            what is thrown                                    heed/error.h
//   heed::set_log              warnings and information                          heed/log.h
#pragma once

#include "heed/error.h"
#include "heed/log.h"
#include "heed/trainer.h"
#include "heed/translator.h"
