# SPDX-License-Identifier: Apache-2.0
"""A line for each scenario, and the counts."""


class Printer:
    def __init__(self):
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}
        self.skips, self.failures = [], []

    def __call__(self, label, message):
        verdict, reason = message["verdict"], " ".join(message["reason"].split())
        self.counts[verdict] += 1
        line = f"{label} {message['name']}" + (f" ({reason})" if reason else "")
        if verdict == "skip":
            self.skips.append(line)
        elif verdict == "FAIL":
            self.failures.append(line)
        print(f"{verdict} {line} [{message['seconds']:.1f}s]", flush=True)
        text = message["output"]
        if len(text) > 12000:
            text = text[:4000] + "\n[...]\n" + text[-8000:]
        print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)

    def summary(self):
        for line in self.skips:
            print(f"skipped: {line}")
        for line in self.failures:
            print(f"failed: {line}")
        print(f"{self.counts['ok']} passed, {self.counts['FAIL']} failed, "
              f"{self.counts['skip']} skipped", flush=True)
