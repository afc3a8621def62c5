"""Compares the capture dates that Safelight reads with exiftool's, file by file, and counts by class.

    dates.py DRIVERS [DIR]

Without a folder it makes samples: a picture or clip of each format that FFmpeg writes, each with the tags
that exiftool can write into it.
"""

import collections
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# Where exiftool finds a date, in the order of the Metadata Working Group: group, tag. The first that is
# there is its date of that kind.
ORIGINAL = (
    (r"ExifIFD|IFD0|SubIFD\d*|CanonRaw|SigmaRaw|MinoltaRaw|Kodak|APP12|PictureInfo|CIFF|MakerNotes|Nikon", r"DateTimeOriginal"),
    (r"IPTC", r"DateCreated"),
    (r"XMP-exif", r"DateTimeOriginal"),
    (r"XMP-photoshop", r"DateCreated"),
    (r"XMP-xmpDM", r"ShotDate"),
    (r"Keys|ItemList|UserData|QuickTime", r"CreationDate|DateTimeOriginal|ContentCreateDate"),
    (r"XML", r"CreationDateValue"),
    (r"RIFF|H264|Olympus|Casio", r"DateTimeOriginal"),
    (r"PNG.*", r"CreationTime"),
)
DIGITISED = (
    (r"ExifIFD|IFD0|Nikon", r"CreateDate"),
    (r"IPTC", r"DigitalCreationDate"),
    (r"XMP-exif", r"DateTimeDigitized"),
    (r"XMP-xmp", r"CreateDate"),
    (r"RIFF", r"DateCreated"),
    (r"Matroska|Info", r"DateTimeOriginal"),
    (r"QuickTime", r"CreateDate"),
    (r"Track\d*", r"MediaCreateDate|TrackCreateDate"),
    (r"ASF", r"CreationDate|EncodingTime"),
)
MODIFIED = (
    (r"IFD0|ExifIFD", r"ModifyDate"),
    (r"XMP-xmp|XMP-tiff", r"ModifyDate|DateTime"),
    (r"PNG.*", r"ModifyDate|Modify-date"),
)
# An IPTC date and its time are two tags.
TIMES = {"DateCreated": "TimeCreated", "DigitalCreationDate": "DigitalCreationTime"}
DATE = re.compile(r"^(\d{4})(?::(\d\d))?(?::(\d\d))?(?: (\d\d):(\d\d)(?::(\d\d))?)?")
# Words for the classes, in the order in which they are printed.
CLASSES = (
    "same",
    "same day, exiftool knows no more",
    "another time zone",
    "ours, exiftool has none",
    "neither: by name or file time",
    "exiftool's is a camera default, ours the name's",
    "only exiftool has one",
    "different",
)


def exiftool(folder):
    """All dates in all files below a folder, by path: a list of (group, tag, text) each."""
    command = ["exiftool", "-json", "-G1", "-a", "-r", "-time:all", "-api", "largefilesupport=1", str(folder)]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    found = {}
    for entry in json.loads(done.stdout or b"[]"):
        tags = [(*key.split(":", 1), str(text)) for key, text in entry.items() if ":" in key]
        found[entry["SourceFile"]] = [tag for tag in tags if tag[0] not in ("System", "File", "Composite")]
    return found


def parts(text):
    """Year, month, day, hour, minute, second as far as they are written; none where it is no date."""
    match = DATE.match(text.replace("-", ":", 2).replace("T", " ", 1).strip())
    if not match or not int(match[1]):
        return None
    numbers = []
    for number in match.groups():
        if number is None or (len(numbers) < 3 and int(number) == 0):
            break
        numbers.append(int(number))
    if len(numbers) > 3 and numbers[3] == 24:
        numbers[3] = 0
    return numbers


def first(tags, kinds):
    for groups, names in kinds:
        for group, name, text in tags:
            if re.fullmatch(groups, group) and re.fullmatch(names, name):
                time = TIMES.get(name)
                times = [t for g, n, t in tags if n == time and g == group]
                whole = f"{text} {times[0]}" if times and " " not in text.strip() else text
                if found := parts(whole):
                    return found, f"{group}:{name} {whole}"
    return None, ""


def seconds(numbers):
    import datetime

    padded = [*numbers, *[1, 1, 0, 0, 0][len(numbers) - 1 :]]
    try:
        return datetime.datetime(*padded[:5], min(padded[5], 59)).timestamp()
    except ValueError:
        return None


def is_default(numbers):
    day = tuple(numbers[:3])
    return day in ((1904, 1, 1), (1970, 1, 1), (1980, 1, 1), (2000, 1, 1)) or numbers[:6] == [2002, 12, 8, 12, 0, 0]


def compare(ours, tags):
    """The class of one file, and what exiftool's date was."""
    theirs, said = first(tags, ORIGINAL)
    if not theirs:
        theirs, said = first(tags, DIGITISED)
    mine = parts(ours["date"])
    source = ours["source"]
    if source.startswith("modified") and not theirs:
        theirs, said = first(tags, MODIFIED)
    is_stated = source in ("metadata", "modified_tag")
    if not theirs:
        return ("ours, exiftool has none" if is_stated else "neither: by name or file time"), said
    if not is_stated:
        if is_default(theirs) and source == "file_name":
            return "exiftool's is a camera default, ours the name's", said
        return "only exiftool has one", said
    if len(theirs) < 5 and mine[: len(theirs)] == theirs:
        return ("same" if all(number in (0, 1) for number in mine[len(theirs) :]) else CLASSES[1]), said
    a, b = seconds(mine), seconds(theirs)
    if a is not None and b is not None:
        difference = abs(a - b)
        if difference < 1:
            return "same", said
        if difference <= 14 * 3600 and min(difference % 900, 900 - difference % 900) <= 300 and len(tags) > 0:
            name = re.search(r"\d{8}", Path(ours["path"]).name)
            if name:
                return "another time zone", said
    return "different", said


def report(drivers, folder):
    done = subprocess.run([drivers, "dates", str(folder)], capture_output=True, text=True, check=True)
    ours = [json.loads(line) for line in done.stdout.splitlines()]
    theirs = exiftool(folder)
    counts = collections.defaultdict(collections.Counter)
    for one in ours:
        kind, said = compare(one, theirs.get(one["path"], []))
        counts[one["type"]][kind] += 1
        if kind in ("different", "only exiftool has one", "ours, exiftool has none"):
            print(f"{kind}: {one['path']}\n   ours {one['date']} ({one['source']}), exiftool {said or 'none'}")
    used = [name for name in CLASSES if any(kinds[name] for kinds in counts.values())]
    print(f"\n| type | {' | '.join(used)} |\n| --- |{' --- |' * len(used)}")
    for kind, kinds in sorted(counts.items()):
        print(f"| {kind} | {' | '.join(str(kinds[name]) for name in used)} |")
    print(f"| all | {' | '.join(str(sum(kinds[name] for kinds in counts.values())) for name in used)} |")


def main(drivers, folder=None):
    if folder:
        report(drivers, Path(folder))
        return
    import dates_samples

    with tempfile.TemporaryDirectory() as place:
        dates_samples.make(Path(place))
        report(drivers, Path(place))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(*sys.argv[1:])
