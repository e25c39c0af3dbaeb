#!/usr/bin/env python3
"""A preprocessor of mdBook: links that lead out of docs/ become links to the repository.

REPOSITORY names it, as far as the branch: https://github.com/OWNER/watchfire/blob/main. Where it is
not set such links lose their target, and their text stays.
"""

import json
import os
import posixpath
import re
import sys

LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def turned(text, folder, chapters, repository):
    """A text whose links all lead to a chapter, or to the repository."""

    def turn(link):
        words, target = link.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return link.group(0)
        place = posixpath.normpath(posixpath.join("docs", folder, path))
        if place.startswith("docs/") and place.removeprefix("docs/") in chapters:
            return link.group(0)
        if repository is None:
            return words
        return f"[{words}]({repository}/{place}{'#' + anchor if anchor else ''})"

    # Blocks of code stay as they are.
    parts = re.split(r"(^```.*?^```$)", text, flags=re.S | re.M)
    return "".join(p if p.startswith("```") else LINK.sub(turn, p) for p in parts)


def each(items):
    """Every chapter, and those below it."""
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            yield chapter
            yield from each(chapter["sub_items"])


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    _, book = json.load(sys.stdin)
    items = book.get("items", book.get("sections"))
    chapters = {chapter["path"] for chapter in each(items)}
    repository = os.environ.get("REPOSITORY")
    for chapter in each(items):
        folder = posixpath.dirname(chapter["path"])
        chapter["content"] = turned(chapter["content"], folder, chapters, repository)
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
