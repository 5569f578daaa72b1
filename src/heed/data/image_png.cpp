// PNG by libpng (ISO/IEC 15948).
//
// The library leaves by longjmp on an error. So the functions that call setjmp hold no object with a destructor and
// change no local variable; what must live on is a member of the decoder, which its caller owns.
//
// Ancillary chunks are skipped unread: neither gamma nor colour profile nor transparency changes what Pillow's
// convert("RGB") gives. A wrong checksum is an error in any chunk that is passed.
#include <png.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "heed/base/error.h"
#include "heed/data/image_formats.h"

namespace heed::data {
namespace {

// Deflate makes at most 1032 bytes of one (zlib's technical notes), so a file that claims more is cut off.
constexpr int64_t kMaxExpansion = 1032;

class PngDecoder {
 public:
  explicit PngDecoder(std::span<const std::byte> file) : file_(file) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &leave, [](png_structp, png_const_charp) {});
    if (png_) info_ = png_create_info_struct(png_);
    check<MemoryError>(info_ != nullptr, "no memory for a PNG decoder");
  }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  // Both return whether it went well; if not, message() says why.
  bool read_header();
  bool read_rows(png_bytepp rows);

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  int bit_depth() const { return png_get_bit_depth(png_, info_); }
  int color_type() const { return png_get_color_type(png_, info_); }
  int64_t packed_row_bytes() const { return static_cast<int64_t>(png_get_rowbytes(png_, info_)); }  // after read_header
  std::span<const png_color> palette() const {
    png_colorp colors = nullptr;
    int count = 0;
    if (!png_get_PLTE(png_, info_, &colors, &count)) return {};
    return {colors, static_cast<size_t>(count)};
  }
  const char* message() const { return message_; }

 private:
  [[noreturn]] static void leave(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::snprintf(self->message_, sizeof self->message_, "%s", message);
    png_longjmp(png, 1);
  }
  static void read(png_structp png, png_bytep to, size_t size) {
    auto* self = static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (size > self->file_.size() - self->used_) png_error(png, "the file is cut off");
    std::memcpy(to, self->file_.data() + self->used_, size);
    self->used_ += size;
  }

  std::span<const std::byte> file_;
  size_t used_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  char message_[256] = "";
};

bool PngDecoder::read_header() {
  if (setjmp(png_jmpbuf(png_))) return false;
  png_set_read_fn(png_, this, &read);
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_read_info(png_, info_);
  return true;
}

// Rows of one byte a sample: grey, index, or red, green and blue; 16-bit grey keeps its two.
bool PngDecoder::read_rows(png_bytepp rows) {
  if (setjmp(png_jmpbuf(png_))) return false;
  if (color_type() == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
  else if (bit_depth() == 16) png_set_strip_16(png_);
  if (color_type() == PNG_COLOR_TYPE_PALETTE) png_set_packing(png_);
  png_set_strip_alpha(png_);
  png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  png_read_image(png_, rows);
  png_read_end(png_, nullptr);
  return true;
}

using Palette = std::array<std::array<uint8_t, 3>, 256>;

// The colour of each value of a sample: of the palette, in which those beyond its end are black, or grey.
Palette full_palette(std::span<const png_color> colors) {
  Palette palette{};
  for (size_t i = 0; i < palette.size(); ++i) {
    if (colors.empty()) palette[i].fill(static_cast<uint8_t>(i));
    else if (i < colors.size()) palette[i] = {colors[i].red, colors[i].green, colors[i].blue};
  }
  return palette;
}

}  // namespace

Image decode_png(std::span<const std::byte> file, const std::string& name, const ImageLimits& limits) {
  PngDecoder decoder(file);
  check<DataError>(decoder.read_header(), "{}: not a PNG image that can be read: {}", name, decoder.message());
  check_image_size(name, decoder.width(), decoder.height(), limits);
  check<DataError>(
      (decoder.packed_row_bytes() + 1) * decoder.height() / kMaxExpansion <= static_cast<int64_t>(file.size()),
      "{}: the file is cut off: {} bytes cannot hold {} x {} pixels", name, file.size(), decoder.width(),
      decoder.height());
  const bool indexed = decoder.color_type() == PNG_COLOR_TYPE_PALETTE;
  const bool colour = (decoder.color_type() & PNG_COLOR_MASK_COLOR) != 0 && !indexed;
  const bool wide = decoder.color_type() == PNG_COLOR_TYPE_GRAY && decoder.bit_depth() == 16;
  // The palette is taken now: the transformations of read_rows change what the decoder tells.
  const Palette palette = full_palette(indexed ? decoder.palette() : std::span<const png_color>());
  Image raw =
      blank_image(static_cast<int>(decoder.width()), static_cast<int>(decoder.height()), colour ? 3 : (wide ? 2 : 1));
  std::vector<png_bytep> rows(static_cast<size_t>(raw.height));
  for (int y = 0; y < raw.height; ++y) rows[static_cast<size_t>(y)] = raw.row(y);
  check<DataError>(decoder.read_rows(rows.data()), "{}: corrupt PNG image: {}", name, decoder.message());
  if (colour) return raw;

  Image image = blank_image(raw.width, raw.height);
  uint8_t* out = image.pixels.data();
  if (wide) {  // big-endian; what does not fit into a byte is white
    for (size_t i = 0; i < raw.pixels.size(); i += 2, out += 3)
      std::fill_n(out, 3, raw.pixels[i] != 0 ? uint8_t{255} : raw.pixels[i + 1]);
    return image;
  }
  for (const uint8_t value : raw.pixels) out = std::copy_n(palette[value].data(), 3, out);
  return image;
}

}  // namespace heed::data
