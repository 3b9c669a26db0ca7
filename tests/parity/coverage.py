"""Which model types of `transformers` are imported, and equal: `python -m tests.parity.coverage`.

Names choose some: `llama`, `llama/causal_lm`, `llama/causal_lm/yarn`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

# One thread a process is fastest, and nothing is fetched. Before torch or transformers is imported.
for name, value in (("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1"), ("HF_HUB_OFFLINE", "1")):
    os.environ.setdefault(name, value)
# As under pytest: these modules import one another by their plain names.
sys.path.insert(0, str(Path(__file__).resolve().parent))


def main(words: list[str] | None = None) -> int:
    """Judge the cases; 1 where one of them differs or fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity.coverage", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these types, or type/head/variant")
    parser.add_argument("--failed", action="store_true", help="only what the page calls not equal")
    parser.add_argument("--write", action="store_true", help="write the verdicts to the page")
    parser.add_argument("--fields", action="store_true", help="each field changed alone")
    parser.add_argument("-j", dest="jobs", type=int, default=2, help="processes; 2")
    parser.add_argument("--limit", type=float, default=120, help="seconds a case; 120")
    given = parser.parse_args(words)

    warnings.filterwarnings("ignore")
    import transformers
    from judge import fields, fields_page, page, workers
    from judge.verdict import WORDS
    from tiny import all_cases

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    known = page.read_page()
    cases = [case for case in all_cases() if not given.names or chosen(str(case), given.names)]
    if given.failed:
        cases = [case for case in cases if case not in known or known[case].word != "equal"]
    if given.fields:
        plain = [case for case in cases if not case.variant or str(case) in given.names]
        cases = [other for case in plain for other in fields.changed_cases(case)]
    if not cases:
        parser.error("no such case")

    start, verdicts = time.monotonic(), {}
    for case, verdict in workers.judge_all(cases, given.jobs, given.limit):
        verdicts[case] = verdict
        tried = [verdict.again, verdict.greedy, verdict.padded] if verdict.again else []
        print(f"{verdict.word:18}{case!s:45}", *[verdict.why, *tried], sep="  ", flush=True)
    counted = Counter(verdict.word for verdict in verdicts.values())
    print(*(f"{word}: {counted[word]}" for word in WORDS), sep=", ", end=f"; {len(verdicts)} cases")
    print(f" in {time.monotonic() - start:.0f} s")
    wrong = [case for case, verdict in verdicts.items() if verdict.wrong]
    if wrong:
        print("to mend:", *sorted(map(str, wrong)))
    if given.write and given.fields:
        fields_page.write(verdicts)
    elif given.write:
        page.PAGE.write_text(page.page({**known, **verdicts}), encoding="utf-8")
    return 1 if wrong else 0


def chosen(case: str, names: list[str]) -> bool:
    """Is this case, or the type or the head that it belongs to, among the names?"""
    return any(f"{case}/".startswith(f"{name}/") for name in names)


if __name__ == "__main__":
    sys.exit(main())
