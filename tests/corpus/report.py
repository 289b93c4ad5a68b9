"""Counts what was tried and what came out right, and knows the differences that are right (`known.toml`)."""

import json
import pathlib
import tomllib

SHOWN_MAX = 10


class Known:
    """The table: which (id, aspect) may differ in which parts, and which of them did."""

    def __init__(self):
        table = tomllib.loads(pathlib.Path(__file__).with_name("known.toml").read_text())["difference"]
        self.parts = {(row["id"], aspect): set(row["parts"]) for row in table for aspect in row["aspects"]}
        self.met = set()

    def explains(self, part, difference):
        """`part` may be one of several of a kind, as in "cut 7"."""
        key = (difference.id, difference.aspect)
        explained = part.split()[0] in self.parts.get(key, ())
        if explained:
            self.met.add(key)
        return explained

    def stale(self):
        """What explains nothing any more: the product may have become better."""
        return sorted(set(self.parts) - self.met)


class Report:
    """The tally of the suite; differences go to files in `folder` by part."""

    def __init__(self, folder):
        self.folder = folder
        self.passed = self.failed = 0
        self.known = Known()

    def part(self, name, tried, differences):
        """One part: exchanges tried, and their differences. An exchange fails once, whatever the number of its differences."""
        wrong = [difference for difference in differences if not self.known.explains(name, difference)]
        failed = len({difference.id for difference in wrong})
        self.passed += tried - failed
        self.failed += failed
        path = self.folder / f"{name.replace(' ', '-')}.jsonl"
        path.write_text("".join(json.dumps(vars(difference), default=_plain) + "\n" for difference in wrong))
        print(f"{name}: {tried} exchanges, {tried - failed} right, {failed} wrong", flush=True)
        for difference in wrong[:SHOWN_MAX]:
            print(f"    {difference.id} {difference.aspect}: wanted {_short(difference.wanted)}, got {_short(difference.got)}")

    def bar(self, name, kept, of, percent):
        """A share that must be more than another gateway's."""
        share = 100 * kept / of if of else 0.0
        better = share > percent
        self.passed += better
        self.failed += not better
        print(f"{name}: {kept} of {of} ({share:.1f} %), the bar is {percent} %{'' if better else ': not reached'}", flush=True)

    def troubles(self, gateway):
        """What the gateway must not have done meanwhile."""
        for trouble in gateway.troubles():
            self.failed += 1
            print(trouble)

    def stale(self):
        """Entries of `known.toml` without a difference are wrong too."""
        for id, aspect in self.known.stale():
            self.failed += 1
            print(f"known.toml: {id} {aspect} is no difference; remove it")


def _plain(value):
    return sorted(value) if isinstance(value, set) else str(value)


def _short(value):
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    return text if len(text) <= 160 else text[:160] + "…"
