#!/usr/bin/env python3
"""Makes tests/golden/images: tiny images of every kind, and what Pillow and transformers make of them.

usage: images.py OUTPUT_FOLDER [SHARED_FOLDER]    (SHARED_FOLDER/data/images is hashed too, if given)

decoded.json   for each file: size, SHA-256 (16 digits) of Image.open(f).convert("RGB"), and of transformers' load_image (which
               also turns it upright), or null if Pillow refuses it. Names that begin with "shared/" are below SHARED_FOLDER.
processed.json for pairs of file and preprocessor_config.json: size, SHA-256 of the resized and cropped pixels
               [height, width, 3], and of the float32 pixel values [3, height, width] of ViTImageProcessorPil.
classified.json scores that tests/golden/models/vit_no_qkv_bias gives some of the files: as it is (several labels), and as
               it would be if its configuration asked for one label.
"""
import hashlib
import io
import itertools
import json
import pathlib
import struct
import sys
import zlib

import numpy
import PIL
import torch
import transformers
from PIL import Image
from PIL.ImageOps import exif_transpose
from transformers.image_utils import load_image
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

random = numpy.random.default_rng(7)


def pixels(height, width, channels):
    """A gradient with noise: smooth enough for JPEG, rough enough for resizing."""
    y, x, c = numpy.mgrid[0:height, 0:width, 0:channels]
    smooth = 128 + 90 * numpy.sin(x / 5.0 + c) * numpy.cos(y / 4.0 - c)
    return numpy.clip(smooth + random.integers(-30, 30, smooth.shape), 0, 255).astype(numpy.uint8)


def png(header, rows, *chunks):
    """A PNG file from its parts; header = (width, height, depth, color type, interlace)."""
    width, height, depth, color, interlace = header

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    ihdr = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + b"".join(chunk(*c) for c in chunks)
            + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def xmp(orientation):
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


def make_files(folder):
    rgb = Image.fromarray(pixels(23, 37, 3))
    small = Image.fromarray(pixels(5, 7, 3))
    files = {
        "rgb.png": saved(rgb, "PNG"),
        "wide.png": saved(Image.fromarray(pixels(6, 50, 3)), "PNG"),
        "tall.png": saved(Image.fromarray(pixels(61, 4, 3)), "PNG"),
        "dot.png": saved(Image.fromarray(pixels(1, 1, 3)), "PNG"),
        "grey.png": saved(Image.fromarray(pixels(9, 8, 1)[:, :, 0]), "PNG"),
        "alpha.png": saved(Image.fromarray(pixels(7, 5, 4)), "PNG"),
        "grey_alpha.png": saved(Image.fromarray(pixels(7, 5, 2), "LA"), "PNG"),
        "grey16.png": png((4, 2, 16, 0, 0), [[0, 0, 0, 9, 0, 255, 1, 0], [1, 255, 255, 255, 0, 127, 128, 0]]),
        "rgb16.png": png((2, 2, 16, 2, 0), random.integers(0, 256, (2, 12)).tolist()),
        "rgba16.png": png((2, 2, 16, 6, 0), random.integers(0, 256, (2, 16)).tolist()),
        "palette_short.png": png((8, 2, 4, 3, 0), [[0x01, 0x23, 0x45, 0xFF], [0x10, 0x32, 0x54, 0x0F]],
                                 (b"PLTE", bytes(random.integers(0, 256, 9).tolist())), (b"tRNS", b"\0\x80")),
        "palette_2bit.png": png((5, 2, 2, 3, 0), [[0x1B, 0x40], [0xE4, 0x80]], (b"PLTE", bytes(range(40, 52)))),
        "grey_transparent.png": png((3, 2, 8, 0, 0), [[1, 2, 3], [4, 5, 6]], (b"tRNS", b"\0\2")),
        "rgb_transparent.png": png((2, 1, 8, 2, 0), [[1, 2, 3, 4, 5, 6]], (b"tRNS", b"\0\1\0\2\0\3")),
        "gamma.png": png((3, 1, 8, 0, 0), [[10, 100, 200]], (b"gAMA", struct.pack(">I", 100000))),
        "orientation_6.png": png((3, 2, 8, 0, 0), [[1, 2, 3], [4, 5, 6]], (b"eXIf", exif(6)[6:])),
        "orientation_xmp_8.png": png((3, 2, 8, 0, 0), [[1, 2, 3], [4, 5, 6]],
                                     (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(8))),
        "baseline_420.jpg": saved(rgb, "JPEG", quality=85, subsampling=2),
        "baseline_422.jpg": saved(rgb, "JPEG", quality=85, subsampling=1),
        "baseline_444.jpg": saved(rgb, "JPEG", quality=85, subsampling=0),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "rgb.jpg": saved(rgb, "JPEG", keep_rgb=True),
        "restarts.jpg": saved(rgb, "JPEG", restart_marker_blocks=1),
        "grey.jpg": saved(rgb.convert("L"), "JPEG"),
        "cmyk.jpg": saved(Image.fromarray(pixels(9, 11, 4), "CMYK"), "JPEG"),
        "xmp_5.jpg": saved(small, "JPEG", xmp=xmp(5)),
        "exif_little_endian.jpg": saved(small, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0" + b"\0" * 4),
    }
    # Adobe's marker says in its last byte how the four components are coded: 2 is YCCK.
    cmyk = files["cmyk.jpg"]
    at = cmyk.index(b"Adobe") + 11
    files["ycck.jpg"] = cmyk[:at] + b"\2" + cmyk[at + 1:]
    for orientation in range(1, 9):
        files[f"orientation_{orientation}.jpg"] = saved(small, "JPEG", exif=exif(orientation))
    # Damaged.
    files["cut_off.jpg"] = files["baseline_420.jpg"][:-40]
    files["no_end.jpg"] = files["baseline_420.jpg"][:-2]
    files["cut_off.png"] = files["rgb.png"][:-60]
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return sorted(files)


def sha256(array):
    """Its first 16 digits."""
    return hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def decoded(path):
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        up = load_image(str(path))
    except (OSError, SyntaxError, ValueError):
        return None
    return {"width": rgb.width, "height": rgb.height, "rgb_sha256": sha256(numpy.array(rgb)),
            "upright": [up.height, up.width], "upright_sha256": sha256(numpy.array(up))}


def configurations():
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    imagenet = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    # Every filter up and down, to odd sizes, in one direction only, and to a point.
    for filter, (height, width) in itertools.product(range(6), [(11, 13), (23, 60), (40, 37), (71, 53), (1, 1), (10, 90)]):
        yield {"size": {"height": height, "width": width}, "resample": filter, **half}
    yield {"feature_extractor_type": "ViTFeatureExtractor", "size": 15, "do_normalize": True, "do_resize": True, **imagenet}
    yield {"size": [9, 14], "resample": 3, **imagenet}
    for size in ({"shortest_edge": 10}, {"shortest_edge": 33}, {"shortest_edge": 23, "longest_edge": 30},
                 {"shortest_edge": 20, "longest_edge": 31}, {"shortest_edge": 16, "longest_edge": 90}):
        yield {"image_processor_type": "ViTImageProcessor", "size": size, "resample": 2, **imagenet}
    for crop in ({"height": 8, "width": 8}, {"height": 13, "width": 19}, {"height": 30, "width": 4}, 12):
        yield {"do_resize": True, "size": {"height": 17, "width": 14}, "do_center_crop": True, "crop_size": crop, **imagenet}
    yield {"size": 12, "default_to_square": False, **half}
    yield {"do_resize": False, **half}
    yield {"size": 8, "do_rescale": False, "image_mean": 127.5, "image_std": 60}
    yield {"size": 8, "do_normalize": False, "rescale_factor": 0.00784313725490196}
    yield {"size": 8, "do_normalize": False, "do_rescale": False}


def processed(path, config):
    processor = ViTImageProcessorPil.from_dict(dict(config))
    image = load_image(str(path))
    plain = ViTImageProcessorPil.from_dict({**config, "do_rescale": False, "do_normalize": False})
    cropped = numpy.array(plain(image, return_tensors="np")["pixel_values"])[0]
    values = numpy.array(processor(image, return_tensors="np")["pixel_values"])[0].astype(numpy.float32)
    assert cropped.dtype == numpy.uint8
    return {"config": config, "height": values.shape[1], "width": values.shape[2],
            "rgb_sha256": sha256(cropped.transpose(1, 2, 0)), "values_sha256": sha256(values)}


def classified(folder):
    """As transformers' pipeline "image-classification" scores the files."""
    path = folder.parent / "models/vit_no_qkv_bias"
    config = {"image_processor_type": "ViTImageProcessor", "size": 12, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    processor = ViTImageProcessorPil.from_dict(dict(config))
    model = transformers.ViTForImageClassification.from_pretrained(path, dtype=torch.float32)
    result = {"config": config, "files": {}}
    for name in ("rgb.png", "wide.png", "tall.png", "alpha.png", "orientation_6.jpg", "cmyk.jpg", "grey.jpg"):
        with torch.no_grad():
            logits = model(**processor(load_image(str(folder / name)), return_tensors="pt")).logits[0]
        result["files"][name] = {"several": logits.sigmoid().tolist(), "one": logits.softmax(0).tolist()}
    return result


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    made_with = {"pillow": PIL.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__}
    files = {name: decoded(folder / name) for name in make_files(folder)}
    if len(sys.argv) > 2:
        shared = pathlib.Path(sys.argv[2])
        for path in sorted((shared / "data/images").rglob("*")):
            if path.suffix in (".png", ".jpg", ".jpeg"):
                files[f"shared/{path.relative_to(shared)}"] = decoded(path)
    (folder / "decoded.json").write_text(
        json.dumps({"made_with": made_with, "files": files}, indent=0, separators=(",", ":")) + "\n")

    cases = []
    for name in ("rgb.png", "wide.png", "tall.png", "dot.png", "baseline_420.jpg"):
        for config in configurations():
            if name != "rgb.png" and "height" in str(config.get("size")) and config.get("resample", 2) in (1, 5):
                continue  # Lanczos and Hamming on one image only: the file stays small
            try:
                cases.append({"file": name, **processed(folder / name, config)})
            except ValueError:  # an extreme shape whose other side would be nothing
                cases.append({"file": name, "config": config, "height": 0, "width": 0})
    (folder / "processed.json").write_text(
        json.dumps({"made_with": made_with, "cases": cases}, separators=(",", ":")).replace('},{"file"', '},\n{"file"') + "\n")
    (folder / "classified.json").write_text(json.dumps({"made_with": made_with, **classified(folder)}, indent=0) + "\n")


main()
