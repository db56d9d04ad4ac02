"""Drives ElastAlert2's rule classes with the events of a file, as its own tests do, and prints what fired as JSON.

Lines are read beforehand, and are not part of the figures. Events are given in runs of 1,000, as queries would give them.
"""
import datetime
import importlib.metadata
import json
import sys
import time

from elastalert.ruletypes import CardinalityRule, FrequencyRule

MINUTE = datetime.timedelta(minutes=1)


def read(path):
    with open(path) as lines:
        for line in lines:
            event = json.loads(line)
            event["@timestamp"] = datetime.datetime.fromisoformat(event["@timestamp"].replace("Z", "+00:00"))
            yield event


def main():
    events = list(read(sys.argv[1]))
    shared = {"timeframe": MINUTE, "query_key": "client.ip", "timestamp_field": "@timestamp"}
    rules = {f"count-{n}": FrequencyRule({**shared, "num_events": int(n)}) for n in sys.argv[2:]}
    rules["users"] = CardinalityRule({**shared, "cardinality_field": "user.id", "max_cardinality": 12})
    took = 0.0
    for i in range(0, len(events), 1000):
        batch = events[i : i + 1000]
        end = batch[-1]["@timestamp"]
        for rule in rules.values():
            own = [dict(event) for event in batch]  # a rule that fires writes into its events
            began = time.process_time()
            rule.add_data(own)
            rule.garbage_collect(end)
            took += time.process_time() - began
    fired = sorted({(name, match["client"]["ip"]) for name, rule in rules.items() for match in rule.matches})
    version = importlib.metadata.version("elastalert2")
    json.dump({"name": f"ElastAlert2 {version}, rule classes", "cpu_seconds": took, "fired": fired}, sys.stdout)


main()
