"""Long-connection sink: programs written with Feishu's SDKs connect to the router as they would to Feishu."""

from sinks.contract import SinkType
from sinks.feishu_ws.settings import FeishuWsSettings, describe, remarks
from sinks.feishu_ws.sink import FeishuWsSink

SINK = SinkType(
    settings=FeishuWsSettings,
    build=lambda _name, settings: FeishuWsSink(settings),
    describe=describe,
    remarks=remarks,
)
