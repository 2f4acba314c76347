"""The promises as functions from the facts of a run to what is wrong. Each returns words for people; none means kept."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from tests.crash.oracle.facts import Arrival, Facts, Push
from tests.crash.oracle.plan import HTTP_TIMEOUT, MAX_ATTEMPTS, SinkPlan

CHALLENGE_SECONDS, ANSWER_SECONDS = 1.0, 3.0
HOPS = 4
"""From here to the router, to its writer, back and here again: each may wait for its turn as long as the latest echo."""
SETTLED_SECONDS = 2.0
"""A lane's progress is in the journal so soon after a delivery, unless the disk is full or the machine is away."""
BROKER_SECONDS = 15.0
"""An acknowledgement may be lost from so long before a broker's fault (a request under way) to so long after it."""
SOON_SECONDS = 3.0
RSS_BYTES = 160 << 20
SAID = 4

Check = Callable[[Facts], Iterator[str]]


def broken(facts: Facts) -> list[str]:
    """Everything that is wrong, in words, with the promise in front; of one kind no more than a few."""
    wrong: list[str] = []
    for promise, check in CHECKS.items():
        found = list(dict.fromkeys(check(facts)))
        wrong += [f"{promise}: {words}" for words in found[:SAID]]
        if len(found) > SAID:
            wrong.append(f"{promise}: {len(found) - SAID} more of this kind")
    return wrong


def stored(facts: Facts) -> Iterator[str]:
    """What was answered 200 is in the journal."""
    missing = facts.answered - set(facts.kept.events.values())
    if missing:
        yield f"{len(missing)} events answered 200 are not in the journal, such as {_some(missing)}"


def synced(facts: Facts) -> Iterator[str]:
    """A kill leaves the page cache alive, so a sync left out is seen otherwise: one that is made to fail must be felt.

    Pushes answered one after the other need a sync each. So a process whose n-th sync of a thread fails has ended before
    it has answered more than n of them, all of different events.
    """
    first: dict[int, Push] = {}
    for push in facts.pushes:
        first.setdefault(push.serial, push)
    for death in facts.deaths:
        if death.injected is None or not death.injected.what.startswith("fdatasync"):
            continue
        at, answers = death.since, 0
        for push in sorted(first.values(), key=lambda push: push.begun + push.took):
            if push.kind == "event" and push.status == 200 and at <= push.begun and push.begun + push.took <= death.at:
                at, answers = push.begun + push.took, answers + 1
        if answers > death.injected.number:
            yield f"sync {death.injected.number} was made to fail, and {answers} pushes were answered 200 all the same"


def delivered(facts: Facts) -> Iterator[str]:
    """Everything stored is in every sink that wants it, or in its dead letters; nothing else is anywhere."""
    kept = set(facts.kept.events.values())
    for sink in facts.plan.sinks:
        arrived = facts.arrivals[sink.name]
        taken = {arrival.serial for arrival in facts.live(sink.name) if arrival.accepted}
        wanted = {serial for serial in kept if sink.wants(facts.plan.event(serial).type)}
        if missing := wanted - taken - facts.dead(sink.name):
            yield f"{len(missing)} stored events are neither in {sink.name} nor dead, such as {_some(missing)}"
        if strange := ({arrival.serial for arrival in arrived} | facts.dead(sink.name)) - wanted:
            yield f"{len(strange)} events are in {sink.name} that should not be, such as {_some(strange)}"
        if flaws := [arrival.flaw for arrival in arrived if arrival.flaw]:
            yield f"{len(flaws)} events in {sink.name} are not as they were pushed: {flaws[0]}"
    yield from facts.kept.unsettled


def kept_aside(facts: Facts) -> Iterator[str]:
    """Authentic pushes that can't be understood and were answered 200 are dead letters of the ingress."""
    bodies = b"\n".join(letter.body for letter in facts.kept.letters if letter.lane == "ingress")
    for push in facts.pushes:
        if push.kind == "misshapen" and push.status == 200 and b"misshapen-%d-" % push.serial not in bodies:
            yield f"the push {push.serial}, not understood and answered 200, is not kept"


def invented(facts: Facts) -> Iterator[str]:
    """Nothing is stored that Feishu didn't push, and what isn't authentic is refused."""
    if strange := set(facts.kept.events.values()) - facts.sent:
        yield f"{len(strange)} events are stored that Feishu did not push, such as {_some(strange)}"
    allowed = {"forged": (401, 503, None)}
    for push in facts.pushes:
        if push.status not in allowed.get(push.kind, (200, 503, None)):
            yield f"a push of kind {push.kind} was answered {push.status}: {push.body[:200]!r}"


def once(facts: Facts) -> Iterator[str]:
    """Stored once."""
    doubled = _doubled(list(facts.kept.events.values()))
    if doubled:
        yield f"{len(doubled)} events are stored more than once, such as {_some(doubled)}"


def in_order(facts: Facts) -> Iterator[str]:
    """First arrivals, and first acceptances, of each order key within a scope are in the order of storage.

    Copies don't count: after a crash a lane sends again what it could not note, and the sequence repeats from there. Nor
    do dead letters that may have been given back: their followers didn't wait for that.
    """
    positions = facts.positions()
    for sink in facts.plan.sinks:
        if sink.ordering == "none":
            continue
        given_back = {id_ for name, id_ in facts.died if name == sink.name} if facts.plan.has("letters") else set()
        arrived = [each for each in facts.live(sink.name) if each.serial in positions]
        arrived = [each for each in arrived if facts.plan.event(each.serial).id not in given_back]
        for what, some in (("arrived", arrived), ("were taken", [each for each in arrived if each.accepted])):
            for key, serials in _sequences(facts, sink, some).items():
                places = [positions[serial] for serial in serials]
                wrong = [serials[at + 1] for at in range(len(places) - 1) if places[at + 1] < places[at]]
                if wrong:
                    yield f"events of {key} {what} out of order in {sink.name}: {_some(wrong)} came late"


def copies(facts: Facts) -> Iterator[str]:
    """A copy needs a reason: a crash soon after the delivery before it, or an answer that may have been lost."""
    for sink in facts.plan.sinks:
        before: dict[int, Arrival] = {}
        for arrival in facts.live(sink.name):
            last = before.get(arrival.serial)
            if last is not None and last.accepted and not _excused(facts, sink, last, arrival):
                yield f"event {arrival.serial} came to {sink.name} again without a reason, first at {last.at}"
            before[arrival.serial] = arrival


def buried(facts: Facts) -> Iterator[str]:
    """A dead letter needs a reason of the event's own: an outage makes none."""
    for sink in facts.plan.sinks:
        dead = facts.dead(sink.name)
        if sink.type == "kafka":
            dead -= {serial for serial in dead if facts.plan.event(serial).kind == "huge"}
        elif sink.type == "http":
            dead -= {serial for serial in dead if _refused(facts, serial)}
        if dead:
            yield f"{len(dead)} events are dead letters of {sink.name} without a reason, such as {_some(dead)}"


def in_time(facts: Facts) -> Iterator[str]:
    """Each answer within its limit and what the machine took away; no answer at all only while the router was down."""
    for push in facts.pushes:
        limit = CHALLENGE_SECONDS if push.kind == "challenge" else ANSWER_SECONDS
        ended = push.begun + push.took
        if push.status is None:
            if not _down(facts, push.begun, ended):
                yield f"a push of kind {push.kind} got no answer at {push.begun:.3f} for {push.took:.3f} s"
        elif push.took > limit + HOPS * facts.longest(push.begun, ended):
            yield f"a push of kind {push.kind} was answered {push.status} after {push.took:.3f} s"


def alone(facts: Facts) -> Iterator[str]:
    """A sink that nothing was done to has each event soon after it was stored, whatever becomes of the others.

    Not the HTTP sink: its receiver always fails some events, and their subjects wait.
    """
    durable = {push.serial: push.begun + push.took for push in reversed(facts.pushes) if push.status == 200}
    for sink in facts.plan.sinks:
        touched = sink.type == "http" or (sink.type == "kafka" and facts.plan.has("broker_kill", "broker_pause"))
        if touched or facts.plan.has("sync"):
            continue
        own = [span for span in facts.spans if span.what in ("away", "disk", f"pause {sink.name}")]
        first = {arrival.serial: arrival.at for arrival in reversed(facts.live(sink.name))}
        late = {
            serial
            for serial, at in first.items()
            if at is not None and _waited(facts, durable.get(serial, at), at) > SOON_SECONDS
            if not any(span.begun - 6 <= at and durable[serial] <= span.ended + 2 for span in own)
        }
        if late:
            yield f"{len(late)} events came late to {sink.name}, though nothing was wrong with it, such as {_some(late)}"


def bounded(facts: Facts) -> Iterator[str]:
    """Memory."""
    if facts.peak_rss > RSS_BYTES:
        yield f"the router took {facts.peak_rss >> 20} MiB of memory, more than {RSS_BYTES >> 20}"


def secret(facts: Facts) -> Iterator[str]:
    """No key, token or credential anywhere."""
    for place in facts.leaks:
        yield f"a secret is in {place}"


def sound(facts: Facts) -> Iterator[str]:
    """Nothing went wrong that no promise names."""
    yield from facts.troubles


CHECKS: dict[str, Check] = {
    "P1 durable before 200": stored,
    "P1 synced before 200": synced,
    "P2 nothing vanishes": delivered,
    "P2 what isn't understood is kept": kept_aside,
    "P2 nothing is invented": invented,
    "P2 nothing is buried without a reason": buried,
    "P3 stored once": once,
    "P4 in order": in_order,
    "P5 a sick sink is alone": alone,
    "P6 memory bounded": bounded,
    "P7 in time": in_time,
    "P8 secrets stay": secret,
    "P9 copies have a reason": copies,
    "all else": sound,
}


def copied(arrivals: list[Arrival]) -> int:
    """How many are copies of one taken before."""
    taken = [arrival.serial for arrival in arrivals if arrival.accepted]
    return len(taken) - len(set(taken))


def _waited(facts: Facts, since: float, until: float) -> float:
    return until - since - facts.stolen(since, until)


def _excused(facts: Facts, sink: SinkPlan, last: Arrival, again: Arrival) -> bool:
    if last.lost:
        return True
    if last.at is None or again.at is None:
        return bool(facts.deaths or facts.spans)
    for death in facts.deaths:
        clean = death.how == "drained" and death.code == 0 and sink.name not in death.busy
        if not clean and last.at - 0.2 <= death.at <= again.at + 0.2 and _unsettled(facts, last.at, death.at):
            return True
    if sink.type == "file":
        return False
    whose, reach = ("broker", BROKER_SECONDS) if sink.type == "kafka" else ("down", 2.0)
    if any(span.what == whose and span.begun - reach <= last.at <= span.ended + reach for span in facts.spans):
        return True
    return HOPS * facts.longest(last.at - 1, last.at + 3) > HTTP_TIMEOUT - 0.5


def _unsettled(facts: Facts, delivered_at: float, died_at: float) -> bool:
    """Whether the lane may not have been able to note the delivery before the process ended."""
    for span in facts.spans:
        if span.what == "disk" and span.begun <= died_at and delivered_at <= span.ended + SETTLED_SECONDS:
            return True
    return died_at - delivered_at <= SETTLED_SECONDS + facts.stolen(delivered_at, died_at)


def _refused(facts: Facts, serial: int) -> bool:
    """Whether the receiver has refused the event for good, or failed it often enough: also by taking it too slowly."""
    arrived = [arrival for arrival in facts.arrivals["hook"] if arrival.serial == serial]
    if any(arrival.status in (400, 409, 413, 414, 415, 422) for arrival in arrived):
        return True
    unseen = sum(span.what in ("down", "reset_before") for span in facts.spans)
    late = sum(arrival.accepted and arrival.lost for arrival in arrived)
    return facts.failures[serial] + late + unseen >= MAX_ATTEMPTS


def _down(facts: Facts, begun: float, ended: float) -> bool:
    """Whether a router was ending, or none was ready, at some time of the push."""
    dying = any(begun - 6 <= death.at <= ended + 6 for death in facts.deaths)
    return dying or any(span.what == "away" and span.begun <= ended and begun <= span.ended for span in facts.spans)


def _sequences(facts: Facts, sink: SinkPlan, arrived: list[Arrival]) -> dict[str, list[int]]:
    """Serials in order of their first arrival, by scope and order key."""
    sequences: dict[str, dict[int, None]] = defaultdict(dict)
    for arrival in sorted(arrived, key=lambda each: each.order):
        event = facts.plan.event(arrival.serial)
        key = event.source if sink.ordering == "source" else event.key
        scope = arrival.scope.rpartition("/")[0] if sink.type == "kafka" else arrival.scope
        sequences[f"{scope} {key}"].setdefault(arrival.serial)
    return {key: list(serials) for key, serials in sequences.items()}


def _doubled(serials: list[int]) -> set[int]:
    return {serial for serial, count in Counter(serials).items() if count > 1}


def _some(serials: set[int] | list[int]) -> str:
    return str(sorted(serials)[:5])
