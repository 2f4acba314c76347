"""A bot in Python: takes five kinds of events, and one of the old days, and writes each down as a line of JSON.

python bot.py webhook            Feishu, or a router, pushes to http://127.0.0.1:$PORT/webhook/event
python bot.py long-connection    it connects by itself
"""

import os
import sys

import lark_oapi as lark
from lark_oapi.api.corehr.v2 import (
    P2CorehrApprovalGroupsUpdatedV2,
    P2CorehrDepartmentUpdatedV2,
    P2CorehrEmployeeDomainEventV2,
    P2CorehrJobChangeStatusUpdatedV2,
    P2CorehrProcessApproverUpdatedV2,
)

Event = (
    P2CorehrApprovalGroupsUpdatedV2
    | P2CorehrDepartmentUpdatedV2
    | P2CorehrEmployeeDomainEventV2
    | P2CorehrJobChangeStatusUpdatedV2
    | P2CorehrProcessApproverUpdatedV2
)


def note(event: Event) -> None:
    write({"header": event.header, "event": event.event})


def note_old(event: lark.CustomizedEvent) -> None:
    write({"header": {"uuid": event.uuid, "ts": event.ts}, "event": event.event})


def write(line: dict[str, object]) -> None:
    # An error is a "no": the event comes again.
    with open(os.environ.get("EVENTS", "/dev/stdout"), "a", encoding="utf-8") as file:
        file.write(f"{lark.JSON.marshal(line)}\n")


def handlers() -> lark.EventDispatcherHandler:
    return (
        lark.EventDispatcherHandler.builder(os.environ.get("ENCRYPT_KEY", ""), os.environ.get("VERIFICATION_TOKEN", ""))
        .register_p2_corehr_job_change_status_updated_v2(note)
        .register_p2_corehr_employee_domain_event_v2(note)
        .register_p2_corehr_process_approver_updated_v2(note)
        .register_p2_corehr_department_updated_v2(note)
        .register_p2_corehr_approval_groups_updated_v2(note)
        .register_p1_customized_event("approval_instance", note_old)
        .build()
    )


def serve() -> None:
    from flask import Flask, Response
    from lark_oapi.adapter.flask import parse_req, parse_resp

    app, events = Flask(__name__), handlers()

    @app.post("/webhook/event")
    def event() -> Response:
        return parse_resp(events.do(parse_req()))

    app.run(port=int(os.environ.get("PORT", "3000")))


def connect() -> None:
    client = lark.ws.Client(
        os.environ["APP_ID"],
        os.environ["APP_SECRET"],
        event_handler=handlers(),
        domain=os.environ.get("DOMAIN", "https://open.feishu.cn"),  # the one line that changes
    )
    client.start()


if __name__ == "__main__":
    modes = {"webhook": serve, "long-connection": connect}
    if len(sys.argv) != 2 or sys.argv[1] not in modes:
        sys.exit("say webhook or long-connection")
    modes[sys.argv[1]]()
