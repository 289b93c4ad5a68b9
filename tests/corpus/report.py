"""Counts what was tried and what came out right, and knows the differences that are right (`known.toml`)."""

import json
import pathlib
import tomllib

KNOWN = tomllib.loads(pathlib.Path(__file__).with_name("known.toml").read_text())
SHOWN_MAX = 10


class Report:
    """The tally of the suite; differences go to files in `folder` by part."""

    def __init__(self, folder):
        self.folder = folder
        self.passed = self.failed = 0
        self.met = set()

    def part(self, name, tried, differences):
        """One part: exchanges tried, and their differences. An exchange fails once, whatever the number of its differences."""
        reasons = {(known["id"], known["aspect"]) for known in KNOWN["difference"] if name in known["parts"]}
        found = {(difference.id, difference.aspect) for difference in differences}
        self.met |= {(name, *pair) for pair in found & reasons}
        wrong = [difference for difference in differences if (difference.id, difference.aspect) not in reasons]
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

    def stale(self, names):
        """Entries of `known.toml` that explain nothing any more are wrong too: the product may have become better."""
        for known in KNOWN["difference"]:
            for part in set(known["parts"]) & set(names):
                if (part, known["id"], known["aspect"]) not in self.met:
                    self.failed += 1
                    print(f"known.toml: {known['id']} {known['aspect']} is not a difference of \"{part}\"; remove it")


def _plain(value):
    return sorted(value) if isinstance(value, set) else str(value)


def _short(value):
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    return text if len(text) <= 160 else text[:160] + "…"
