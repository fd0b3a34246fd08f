"""Small pictures of every kind, and their pixels as Pillow reads them: `python pictures.py > pictures.txt`.

Writes the pictures into the folder `pictures` beside it. Needs numpy 2.4.6 and pillow 13.0.0.

Each line: file; height width; red, green and blue of each pixel; shades of grey; grey of 2 x 3 pixels. They are Pillow's
`convert("RGB")`, `convert("L")` and `convert("L").resize((3, 2), BILINEAR)`. Pillow cuts off values of 16 bits or drops their
low byte; here they are divided by 257 and rounded, and only then converted.
"""

import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).parent / "pictures"
FOLDER.mkdir(exist_ok=True)
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}


def pixels(height, width, channels, largest):
    """Numbers from 0 to `largest` that look random and need no generator."""
    n = np.arange(height * width * channels, dtype=np.int64)
    x = (n * n * 7919 + n * 104729 + 12345) % 65536
    return (x * (largest + 1) // 65536).reshape(height, width, channels)


def png(name, x, bits, kind, *chunks):
    """A PNG file of any number of bits; Pillow writes few."""

    def chunk(tag, data):
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    height, width, _ = x.shape
    rows = b""
    for row in x.reshape(height, -1):
        text = "".join(format(int(value), f"0{bits}b") for value in row)
        text += "0" * (-len(text) % 8)
        rows += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += b"".join(chunk(tag, content) for tag, content in chunks)
    (FOLDER / name).write_bytes(data + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def line(name, picture=None):
    picture = Image.open(FOLDER / name) if picture is None else picture
    grey = picture.convert("L")
    resized = grey.resize((3, 2), Image.Resampling.BILINEAR)
    numbers = [[picture.height, picture.width]]
    numbers += [np.asarray(part).reshape(-1) for part in (picture.convert("RGB"), grey, resized)]
    print("; ".join([name] + [" ".join(map(str, part)) for part in numbers]))


colours = pixels(3, 4, 3, 255)
# Pure red, green and blue: 76, 150 and 29 by BT.601, 54, 182 and 18 by BT.709.
colours[0, 0], colours[0, 1], colours[0, 2], colours[0, 3] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
png("rgb8.png", colours, 8, RGB)
line("rgb8.png")
png("rgba8.png", np.concatenate([colours, pixels(3, 4, 1, 255)], axis=2), 8, RGB_ALPHA)
line("rgba8.png")
png("grey-alpha8.png", pixels(3, 4, 2, 255), 8, GREY_ALPHA)
line("grey-alpha8.png")
for bits in (1, 2, 4, 8):
    png(f"grey{bits}.png", pixels(3, 5, 1, 2**bits - 1), bits, GREY)
    line(f"grey{bits}.png")
for bits in (1, 2, 4, 8):
    palette = pixels(1, 2**bits, 3, 255).astype(np.uint8).tobytes()
    x = pixels(3, 5, 1, 2**bits - 1)
    png(f"palette{bits}.png", x, bits, PALETTE, (b"PLTE", palette), (b"tRNS", b"\0\x80"))
    line(f"palette{bits}.png")
for name, kind in [("grey16.png", GREY), ("grey-alpha16.png", GREY_ALPHA), ("rgb16.png", RGB), ("rgba16.png", RGB_ALPHA)]:
    x = pixels(3, 4, CHANNELS[kind], 65535)
    png(name, x, 16, kind)
    eight = ((x + 128) // 257).astype(np.uint8)
    visible = eight[..., :3] if kind in (RGB, RGB_ALPHA) else eight[..., 0]
    line(name, Image.fromarray(visible))

# Photographs are smooth; in 4:4:4, since decoders enlarge colours of 4:2:0 in different ways.
y, x = np.mgrid[0:16, 0:16]
photo = np.stack([16 * x, 16 * y, 8 * (x + y)], axis=2).astype(np.uint8)
Image.fromarray(photo).save(FOLDER / "rgb.jpg", quality=95, subsampling=0)
Image.fromarray(photo).convert("L").save(FOLDER / "grey.jpg", quality=95)
Image.fromarray(photo).convert("CMYK").save(FOLDER / "cmyk.jpg", quality=95)
Image.fromarray(photo).save(FOLDER / "progressive.jpg", quality=95, subsampling=0, progressive=True)
for name in ("rgb.jpg", "grey.jpg", "cmyk.jpg", "progressive.jpg"):
    line(name)
