"""What a line loses beside open screens: `python -m tests.screen_cost`, and the memory of the web process.

One simulated line at full speed; times with screens and times without take turns, so that what else the machine does
falls on both. Beside the rate it tells the processor time of the processes that a screen concerns, which other work
changes little. A screen here reads the stream of events and fetches the sheet's picture when there is a new one, as a
browser does, in a process of the lowest priority: real browsers are other machines.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.conftest import Service


def watch(address: str) -> None:
    """One screen, for ever."""
    os.nice(19)
    place = urlsplit(address).netloc
    stream = http.client.HTTPConnection(place, timeout=60)
    stream.request("GET", "/events")
    answer = stream.getresponse()
    pictures = http.client.HTTPConnection(place, timeout=60)
    shown = None
    while text := answer.readline():
        line = json.loads(text[6:]).get("line") if text.startswith(b"data: ") else None
        sheet = line and line["on_line"]
        if sheet and sheet["picture"] and (sheet["plate"], sheet["picture"]) != shown:
            shown = sheet["plate"], sheet["picture"]
            pictures.request("GET", f"/now/picture/{sheet['plate']}.jpg")
            pictures.getresponse().read()


def value(one: Service, name: str) -> float:
    """Of a metric, all its labels together."""
    found = re.findall(rf"^linesentry_{name}(?:{{[^}}]*}})? (\S+)$", one.ask("/metrics"), re.MULTILINE)
    return sum(map(float, found))


def web_memory(one: Service) -> float:
    """Private memory of the web process, MB."""
    found = re.search(r'^linesentry_process_memory_bytes\{role="web"\} (\S+)$', one.ask("/metrics"), re.MULTILINE)
    return float(found[1]) / 1e6 if found else float("nan")


def busy(pid: int) -> float:
    """Processor time of a process up to now, s."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(one: Service, seconds: float) -> tuple[float, list[float]]:
    """Windows merged in a second, over so many seconds; shares of a core of web, merge and supervisor."""
    children = one.children()
    pids = (children["web-0"], children["merge-0"], one.pid)
    times, before, began = [busy(pid) for pid in pids], value(one, "windows_total"), time.monotonic()
    time.sleep(seconds)
    merged, took = value(one, "windows_total") - before, time.monotonic() - began
    return merged / took, [(busy(pid) - time_before) / took for pid, time_before in zip(pids, times, strict=True)]


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure, and print a line for each turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screens", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--turns", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        one = Service(Path(directory), web={"enabled": True, "port": 0}, results={"pictures": False})
        one.start()
        try:
            address = str(one.wait_for(lambda: one.logged("the screen is served"))[-1]["address"])
            one.wait_for(lambda: len(one.finals()) > 2, 120)
            ratios = []
            for turn in range(asked.turns):
                alone, quiet = rate(one, asked.seconds)
                screens = [multiprocessing.Process(target=watch, args=(address,)) for _ in range(asked.screens)]
                for screen in screens:
                    screen.start()
                time.sleep(2)
                beside, shares = rate(one, asked.seconds)
                for screen in screens:
                    screen.kill()
                    screen.join()
                ratios.append(beside / alone)
                said = ", ".join(
                    f"{name} {100 * before:.1f} and {100 * now:.1f} %"
                    for name, before, now in zip(("web", "merge", "supervisor"), quiet, shares, strict=True)
                )
                say(f"{turn}: {alone:.1f} windows/s alone, {beside:.1f} beside; {said}; web {web_memory(one):.0f} MB")
            say(f"median ratio {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")
        finally:
            one.end()


if __name__ == "__main__":
    main()
