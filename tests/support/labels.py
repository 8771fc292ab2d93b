"""Alerts of a replay against the generator's labels: what was found, missed, mistaken, and the rest."""
import collections
import json


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def matches(label, alert):
    """No key of the label contradicts the alert, and one at least agrees."""
    if alert["sekisho.tenant"] != label["tenant"] or alert["alert.kind"] != label["kind"]:
        return False
    shared = [key for key in label["keys"] if key in alert]
    return bool(shared) and all(str(alert[key]) == label["keys"][key] for key in shared)


def shared_addresses(config):
    """What `shared:` of a generated configuration lists, of all municipalities."""
    found, inside = set(), False
    for line in config.splitlines():
        item = line.strip()
        if inside and item.startswith("- "):
            found.add(item[2:])
        else:
            inside = item == "shared:"
    return found


class Judgement:
    """found and missed: labels that expect an alert; mistaken: look-alikes with one of their own;
    rest: alerts (first revisions) that no planted case explains."""

    def __init__(self, labels, alerts):
        opened = [a for a in alerts if a["alert.revision"] == 1]
        self.found, self.missed, self.mistaken = [], [], []
        explained = set()
        for label in labels:
            if label["expect"] != "alert":
                continue
            hits = [a["alert.id"] for a in opened if matches(label, a)]
            (self.found if hits else self.missed).append(label)
            explained.update(hits)
        for label in labels:
            if label["expect"] == "none":
                own = [a for a in opened if matches(label, a) and a["alert.id"] not in explained]
                if own:
                    self.mistaken.append((label, own))
        self.rest = [a for a in opened if a["alert.id"] not in explained]

    def kinds(self):
        """Alerts that no case explains, by rule name."""
        return collections.Counter(a["rule.name"] for a in self.rest)
