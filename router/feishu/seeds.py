"""The events of five CoreHR types as Feishu's documentation shows them."""

from typing import Any

SEEDS: dict[str, dict[str, Any]] = {
    "corehr.job_change.status_updated_v2": {
        "employment_id": "7072306364927985196",
        "target_user_id": {
            "union_id": "on_8ed6aa67826108097d9ee143816345",
            "user_id": "e33ggbyz",
            "open_id": "ou_84aad35d084aa403a838cf73ee18467",
        },
        "job_change_id": "7044427347159746085",
        "transfer_mode": 1,
        "transfer_type_unique_identifier": "internal_transfer",
        "transfer_reason_unique_identifier": "internal_transfer",
        "process_id": "7090409013925398060",
        "effective_date": "2022-04-03",
        "status": 1,
        "transfer_key": "transfer_3627531",
    },
    "corehr.employee.domain_event_v2": {
        "event_type": 1,
        "sub_event_type": 1001,
        "operator_user_id": "7216228370772919852",
        "opt_scene": "OpenAPIAddEmployee",
        "opt_desc": "开放平台创建任职记录V1接口入职员工",
        "opt_time": "1697701824",
        "opt_id": "7291571779879978540",
        "employment_id": "7324965529786844716",
        "data": [
            {
                "id": "7291573441955235372",
                "entity": "email",
                "agg_entity": "person",
                "agg_entity_id": "7291273149417948716",
                "opt_type": 1,
                "fields": ["fields apiname"],
            }
        ],
    },
    "corehr.process.approver.updated_v2": {
        "process_id": "7072306364927985196",
        "approver_id": "7072306364927985187",
        "type": 1,
        "status": 1,
        "biz_type": "renewal_record",
        "flow_definition_id": "people_7182520625066475540_7222929439175839532",
        "node_definition_id": "approval_7c7d9c4d25b",
        "node_id": "7369419552616089132",
    },
    "corehr.department.updated_v2": {"department_id": "7043711774159341101", "field_changes": ["manager"]},
    "corehr.approval_groups.updated_v2": {
        "approval_group_id": "6991776076699549697",
        "process_id": "6991776076699549697",
        "approval_group_status": 1,
        "topic": "测试组织架构调整",
        "adjust_reason": "测试",
        "effective_date": "2022-03-01",
        "created_by": "6974641477444060708",
        "draft_id": "6991776076699549697",
        "draft_status": 1,
        "approval_group_status_v2": 1,
    },
}
