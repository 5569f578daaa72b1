// JPEG by libjpeg-turbo (ITU-T T.81).
//
// The library leaves by longjmp on an error. So the functions that call setjmp hold no object with a destructor and
// change no local variable; what must live on is a member of the decoder, which its caller owns.
//
// As in Pillow: a file that ends before its end-of-image marker is refused, while other damage that the library can
// decode past (a bad restart marker, say) is not.
#include <cstdio>
// cstdio first: jpeglib.h needs FILE.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>

#include "heed/base/error.h"
#include "heed/data/image_formats.h"

namespace heed::data {
namespace {

// Real progressive files have about ten; each makes the decoder pass over the whole image once more.
constexpr int kMaxScans = 100;

class JpegDecoder {
 public:
  explicit JpegDecoder(size_t work_bytes) : work_bytes_(work_bytes) {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = &leave;
    errors_.base.emit_message = &on_message;
    progress_.progress_monitor = &on_progress;
  }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }

  // Both return whether it went well; if not, message() says why.
  bool read_header(const unsigned char* data, size_t size);
  bool read_rows(unsigned char* pixels, size_t stride);

  const jpeg_decompress_struct& info() const { return info_; }
  const char* message() const { return errors_.message; }

 private:
  struct Errors {
    jpeg_error_mgr base;  // first: the library's pointer to it is also one to the whole
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
  };

  [[noreturn]] static void leave(j_common_ptr info) {
    auto* errors = reinterpret_cast<Errors*>(info->err);
    errors->base.format_message(info, errors->message);
    std::longjmp(errors->jump, 1);
  }
  static void on_message(j_common_ptr info, int level) {
    if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) leave(info);
  }
  static void on_progress(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
    auto* errors = reinterpret_cast<Errors*>(info->err);
    std::snprintf(errors->message, sizeof errors->message, "more than %d scans", kMaxScans);
    std::longjmp(errors->jump, 1);
  }

  jpeg_decompress_struct info_{};
  jpeg_progress_mgr progress_{};
  Errors errors_{};
  size_t work_bytes_;
};

bool JpegDecoder::read_header(const unsigned char* data, size_t size) {
  if (setjmp(errors_.jump)) return false;
  jpeg_create_decompress(&info_);
  info_.mem->max_memory_to_use = static_cast<long>(work_bytes_);
  info_.progress = &progress_;
  jpeg_mem_src(&info_, data, size);
  jpeg_read_header(&info_, TRUE);
  return true;
}

bool JpegDecoder::read_rows(unsigned char* pixels, size_t stride) {
  if (setjmp(errors_.jump)) return false;
  info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info_);
  while (info_.output_scanline < info_.output_height) {
    JSAMPROW row = pixels + stride * info_.output_scanline;
    jpeg_read_scanlines(&info_, &row, 1);
  }
  jpeg_finish_decompress(&info_);
  return true;
}

// a b / 255, rounded.
int product_of_255ths(int a, int b) {
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

// In place, [pixels, 4] to [pixels, 3]. The file holds 255 - ink, as Adobe writes it, whether or not it says so.
void cmyk_to_rgb(std::vector<uint8_t>& pixels) {
  size_t to = 0;
  for (size_t from = 0; from < pixels.size(); from += 4) {
    const int light = pixels[from + 3];  // 255 - black
    for (size_t c = 0; c < 3; ++c)
      pixels[to++] = static_cast<uint8_t>(std::max(0, light - product_of_255ths(255 - pixels[from + c], light)));
  }
  pixels.resize(to);
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> file, const std::string& name, const ImageLimits& limits) {
  JpegDecoder decoder(limits.work_bytes);
  check<DataError>(decoder.read_header(reinterpret_cast<const unsigned char*>(file.data()), file.size()),
                   "{}: not a JPEG image that can be read: {}", name, decoder.message());
  const jpeg_decompress_struct& info = decoder.info();
  check_image_size(name, info.image_width, info.image_height, limits);
  const int components = info.num_components;
  check<DataError>(components == 1 || components == 3 || components == 4,
                   "{}: a JPEG image of {} components; 1, 3 or 4 are supported", name, components);
  Image image =
      blank_image(static_cast<int>(info.image_width), static_cast<int>(info.image_height), components == 4 ? 4 : 3);
  check<DataError>(decoder.read_rows(image.pixels.data(), image.stride()), "{}: corrupt JPEG image: {}", name,
                   decoder.message());
  if (components == 4) cmyk_to_rgb(image.pixels);
  image.channels = 3;
  return image;
}

}  // namespace heed::data
