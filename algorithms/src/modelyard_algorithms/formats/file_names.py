"""Which files are images by their name, and what to do with those that are none."""

from pathlib import PurePosixPath

EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_ADVICE = {
    "an archive; unpack it and use the images inside": ".zip .tar .gz .tgz .bz2 .xz .zst .7z .rar",
    "a format that is not read; save it as PNG or JPEG": (
        ".heic .heif .avif .jxl .jp2 .svg .psd .ico .pdf .eps .ai .raw .cr2 .cr3 .nef .arw .dng .dcm .exr"
    ),
    "a video; save the frames that you need as images": ".mp4 .mov .avi .mkv .webm .mpg .mpeg .m4v",
    "labels come from the names of folders alone; remove it": (
        ".csv .tsv .json .jsonl .xml .txt .md .yaml .yml .html .xlsx .parquet"
    ),
    "images are read one a file; save each as an image": ".npy .npz .h5 .hdf5 .mat .pkl .pt .tfrecord .idx",
}
_BY_EXTENSION = {extension: text for text, extensions in _ADVICE.items() for extension in extensions.split()}


def is_image(path: str) -> bool:
    """Whether the name is that of an image which can be read."""
    return path.lower().endswith(EXTENSIONS)


def is_file(name: str) -> bool:
    """Whether the name has an extension of a file that is commonly known."""
    return PurePosixPath(name).suffix.lower() in {*EXTENSIONS, *_BY_EXTENSION}


def advice(path: str) -> str:
    """What completes the sentence "<path> is not an image by its name"."""
    extension = PurePosixPath(path.rsplit("/", 1)[-1]).suffix.lower()
    if extension in _BY_EXTENSION:
        return f": {_BY_EXTENSION[extension]}"
    accepted = ", ".join(EXTENSIONS)
    if not extension:
        return f": it has no extension; rename it, if it is one, or remove it (accepted: {accepted})"
    return f"; remove it (accepted: {accepted})"
