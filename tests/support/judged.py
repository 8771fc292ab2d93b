"""Alerts of files that are replayed, each in its last revision; what tests of judged traffic share."""
import shutil

from sekisho import ndjson, run

TENANT = "990019"


def config_of(folder, network):
    """A configuration that knows the municipality's network; returns its path."""
    path = folder / "conf.yaml"
    path.write_text(f'data: unused\ntenants:\n  "{TENANT}":\n    networks:\n'
                    f"      - {{cidr: {network}, zone: internet}}\n")
    return path


def replay_alerts(folder, files, network=None):
    """Replay files, given as [(format, path)], each as a log source of one municipality and merged by time.
    Returns the alerts and the last line of what replay says of itself."""
    manifest, data = folder / "manifest.yaml", folder / "replayed"
    manifest.write_text("".join(f'- {{tenant: "{TENANT}", source: {form}, format: {form}, file: "{path}"}}\n'
                                for form, path in files))
    shutil.rmtree(data, ignore_errors=True)
    options = ["--config", config_of(folder, network)] if network else []
    done = run("replay", "--data", data, "--manifest", manifest, *options)
    last = {}
    for alert in ndjson(done.stdout):
        if alert["alert.revision"] >= last.get(alert["alert.id"], {"alert.revision": 0})["alert.revision"]:
            last[alert["alert.id"]] = alert
    alerts = [a for a in last.values() if a["alert.state"] != "superseded"]
    return alerts, done.stderr.decode().strip().splitlines()[-1]


def show(alerts):
    for a in alerts:
        print(f"    {a['rule.name']} {a['alert.severity']} {a.get('source.ip', '')} "
              f"{a.get('destination.ip', '')} x{a['alert.count']}")
