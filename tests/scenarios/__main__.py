"""Prints what Datebook does, rule by rule: `python -m tests.scenarios`; with words, the stories that have them."""

from __future__ import annotations

import sys
from itertools import groupby

from tests.scenarios.left_out import NAMES, OUTLOOK, left_out
from tests.scenarios.scenario import Scenario, read, scenarios


def main(words: list[str]) -> None:
    """Print the table; with words, the stories of the cases whose rule, name or sentence has them all."""
    found = [read(path) for path in scenarios()]
    if words:
        wanted = [one for one in found if all(word.casefold() in _text(one) for word in words)]
        for one in wanted:
            print(f"{one.rule}/{one.name}: {one.says}")
            print("\n".join(f"    {line}" for line in _story(one)), end="\n\n")
        return
    for rule, cases in groupby(found, key=lambda one: one.rule):
        print(f"\n{rule}")
        for one in cases:
            print(f"  {one.name:<34} {one.says}")
            print("".join(f"  {'':<34}   {line}\n" for line in _elsewhere(one)), end="")
    print(f"\n{len(found)} cases; `python -m tests.scenarios WORD...` shows the stories that have these words.")


def _text(scenario: Scenario) -> str:
    return f"{scenario.rule} {scenario.name} {scenario.says}".casefold()


def _story(scenario: Scenario) -> list[str]:
    lines = [f"config {dict(scenario.config)}"] if scenario.config else []
    lines += [f"{what} {name}" for what, table in _there(scenario) for name in table]
    return lines + [f"{words} {value}".rstrip() for words, value in scenario.story]


def _elsewhere(scenario: Scenario) -> list[str]:
    """Where it goes otherwise, and where not at all."""
    said: dict[str, list[str]] = {}
    for service in OUTLOOK:
        reason = left_out(scenario, service)
        other = scenario.on(service).says if service in scenario.instead else ""
        for text in (f"is left out: {reason}" if reason else "", other):
            if text:
                said.setdefault(text, []).append(NAMES[service])
    return [f"[{', '.join(names)}] {text}" for text, names in said.items()]


def _there(scenario: Scenario) -> list[tuple[str, list[str]]]:
    return [("there is the file", list(scenario.files)), ("there is the event", list(scenario.calendar))]


if __name__ == "__main__":
    main(sys.argv[1:])
