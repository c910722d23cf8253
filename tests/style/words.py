"""Words that read as translated, each with the words that Kubernetes and PyTorch use instead.

The list is short on purpose. A word is here only if it has no other use in this field, or if the
pattern leaves out its other uses ("due to", "look up", "stands for").
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A pattern, and what to write instead."""

    pattern: re.Pattern[str]
    suggestion: str


def _rule(pattern: str, suggestion: str) -> Rule:
    """In a pattern a space is any white space, because a phrase may be wrapped."""
    return Rule(re.compile(rf"\b(?:{pattern})\b".replace(" ", r"\s+"), re.IGNORECASE), suggestion)


RULES = (
    _rule(r"look(?:s|ed|ing)?(?! (?:up|like)\b)", "reconcile, check, inspect, read"),
    _rule(r"tells?|telling|told", "report, show, print, record, notify"),
    _rule(r"(?:has|have|had) found", "observed, detected, returned"),
    _rule(r"due(?! to\b)", "scheduled, pending, expected"),
    _rule(r"dear(?:er|est|ly)?", "expensive"),
    _rule(r"mend(?:s|ed|ing)?", "fix, repair"),
    _rule(r"hindrances?|hinder(?:s|ed|ing)?", "obstacle, problem; prevent, block"),
    _rule(r"let(?:s|ting)? in", "admit"),
    _rule(r"(?:its|their|whose) turns?", "is scheduled, is processed"),
    _rule(r"by turns", "alternating"),
    _rule(r"own words?|last words", "message"),
    _rule(r"word for word", "exactly"),
    _rule(r"stands?(?! for\b)|standing|stood", "is, is in, is recorded, remains"),
    _rule(r"whoever", "anyone who"),
    _rule(r"of (?:its|their) own accord", "automatically"),
    _rule(r"in company", "while others are active"),
    _rule(r"by (?:itself|themselves)", "automatically, alone"),
    # Fewer, but of the same kind.
    _rule(r"anew|afresh", "again, from scratch"),
    _rule(r"reckon(?:s|ed|ing)?", "estimate, calculate"),
    _rule(r"heed(?:s|ed|ing)?", "honor, respect"),
    _rule(r"for ever", "forever, indefinitely"),
    _rule(r"as ever", "as before"),
    _rule(r"(?:is|are|was|were) away", "unavailable"),
    _rule(r"(?:affair|business) of", "is handled by, belongs to"),
    _rule(r"strangers?", "another process, other clients"),
    _rule(r"(?:the|its) lead", "leadership, the lease"),
    _rule(r"in vain", "without success"),
)
