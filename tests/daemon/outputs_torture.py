"""A PLC or another receiver, record and an output that die at random: which promise is broken, how fast a verdict is.

    python -m tests.daemon.outputs_torture --plates 1000 --deaths 60 --seed 1
    python -m tests.daemon.outputs_torture --protocol opcua --plates 200 --deaths 0
    python -m tests.daemon.outputs_torture --protocol webhook --plates 200 --deaths 15

It ends with 1 where a plate passed that was not OK, a verdict was told twice as new, or one was not told.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from daemon.outputs.codes import VERDICTS
from stages.plate import Verdict
from tests.daemon.record_and_outputs import RecordAndOutputs, config_of
from tests.opcua_plc import OpcuaPlc, free_port
from tests.plc import REQUESTS, Plc
from tests.receivers import RECEIVERS, Receiver


def main() -> int:
    """Torture them; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plates", type=int, default=1000)
    parser.add_argument("--deaths", type=int, default=60)
    parser.add_argument("--rate", type=float, default=20.0, help="plates a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--protocol", choices=["modbus", "opcua", *RECEIVERS], default="modbus")
    parser.add_argument("--asks", action="store_true", help="the PLC names sheets, so it is read all the time")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    verdicts = {plate: chance.choice([Verdict.OK, *Verdict]) for plate in range(1, given.plates + 1)}
    dying = {
        plate: chance.choice(["record-0", "output-0", "plc"]) for plate in chance.sample(sorted(verdicts), given.deaths)
    }
    # Over Modbus the PLC is the server, over OPC UA a client.
    plcs: list[Plc | OpcuaPlc | Receiver] = [_first(given.protocol)]
    gate = _settings(plcs[0])
    if given.asks:
        gate["request_register"] = REQUESTS
    with tempfile.TemporaryDirectory() as directory:
        with RecordAndOutputs(Path(directory), config_of(**{given.protocol: [gate]})) as house:
            house.wait(lambda: plcs[0].beats)
            for plate, verdict in verdicts.items():
                house.decide(plate, verdict)
                house.pause(chance.uniform(0.5, 1.5) / given.rate)
                match dying.get(plate):
                    case None:
                        continue
                    case "plc":
                        plcs[-1].stop()
                        plcs.append(type(plcs[0])(plcs[0].port))
                    case str(name):
                        house.kill(name)
                        house.start(name)
                house.say_again({one: verdicts[one] for one in range(1, plate + 1)})
            house.wait(lambda: len(house.final) == len(verdicts), 60)
            rows = house.wait_told(len(verdicts))
        plcs[-1].stop()
    heard = [one for plc in plcs for one in plc.new]
    passed = {number for plc in plcs for number in plc.released}
    wrong = sorted(number for number in passed if verdicts[number] is not Verdict.OK)
    twice = [number for plc in plcs for number, count in Counter(one.number for one in plc.new).items() if count > 1]
    false = [one.number for one in heard if one.verdict != VERDICTS[verdicts[one.number]]]
    told = {plate: row.told[0] for plate, row in rows.items() if row.told}
    lost = sorted(verdicts.keys() - told.keys())
    good = sum(verdict is Verdict.OK for verdict in verdicts.values())
    outcomes = Counter(one.outcome for one in told.values())
    sys.stdout.write(f"{len(verdicts)} plates, {good} OK; {Counter(dying.values())} died\n")
    sys.stdout.write(f"told: {dict(outcomes)}; {len(passed)} passed\n")
    sys.stdout.write(f"passed and not OK: {wrong}; twice as new: {twice}; told wrongly: {false}; not told: {lost}\n")
    calm = [one for plate, one in told.items() if one.outcome == "acknowledged" and one.times == 1]
    spans = [1000 * (one.answered_at - one.said_at).total_seconds() for one in calm if one.answered_at and one.said_at]
    whole = [
        1000 * (one.answered_at - row.decided_at).total_seconds()
        for row in rows.values()
        for one in row.told
        if one.answered_at and row.decided_at and one.outcome == "acknowledged"
    ]
    for name, found in (("said to echoed", spans), ("before the commit to echoed", whole)):
        cuts = statistics.quantiles(found, n=100)
        sys.stdout.write(f"{name}: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, of {len(found)}\n")
    return int(bool(wrong or twice or false or lost))


def _first(protocol: str) -> Plc | OpcuaPlc | Receiver:
    """Who is told by that protocol."""
    if protocol == "modbus":
        return Plc()
    return OpcuaPlc(free_port()) if protocol == "opcua" else RECEIVERS[protocol]()


def _settings(told: Plc | OpcuaPlc | Receiver) -> dict[str, object]:
    """What the configuration says of it."""
    if isinstance(told, Receiver):
        return told.settings()
    return {"name": "gate", "host": "127.0.0.1", "port": told.port, "again_s": 0.1}


if __name__ == "__main__":
    sys.exit(main())
