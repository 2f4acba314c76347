"""The documented fields of the CoreHR events, for samples.

`name` is text, `name#` a number, `name[]` a list, `name{…}` an object.
"""

COREHR_FIELDS: dict[str, str] = {
    "corehr.approval_groups.updated_v2": (
        "approval_group_id process_id approval_group_status# topic adjust_reason effective_date created_by "
        "draft_id draft_status# approval_group_status_v2#"
    ),
    "corehr.common_data.id.user_mapping_changed_v1": (
        "change_type id_transform_type# corehr_id people_admin_id feishu_id{user_id open_id union_id}"
    ),
    "corehr.common_data.meta_data.updated_v1": "api_name field_changes[] metadata_type enum_value_changes[]",
    "corehr.company.created_v2": "company_id",
    "corehr.company.deleted_v2": "company_id",
    "corehr.company.updated_v2": (
        "company_id field_changes[] sub_events[]{id entity agg_entity agg_entity_id agg_entity_field "
        "opt_type# field_changes[]}"
    ),
    "corehr.contract.created_v1": "contract_id",
    "corehr.contract.deleted_v1": "contract_id",
    "corehr.contract.updated_v1": "contract_id",
    "corehr.cost_center.created_v2": "cost_center_id",
    "corehr.cost_center.deleted_v2": "cost_center_id",
    "corehr.cost_center.updated_v2": "cost_center_id field_changes[]",
    "corehr.custom_org.created_v2": "org_id object_api_name",
    "corehr.custom_org.deleted_v2": "org_id object_api_name",
    "corehr.custom_org.updated_v2": "org_id field_changes[] object_api_name",
    "corehr.department.created_v1": "department_id",
    "corehr.department.created_v2": "department_id",
    "corehr.department.deleted_v1": "department_id code",
    "corehr.department.updated_v1": "department_id field_changes[]",
    "corehr.department.updated_v2": "department_id field_changes[]",
    "corehr.employee.domain_event_v2": (
        "event_type# sub_event_type# operator_user_id opt_scene opt_desc opt_time opt_id employment_id "
        "data[]{id entity agg_entity agg_entity_id opt_type# fields[]}"
    ),
    "corehr.employment.converted_v1": "employment_id",
    "corehr.employment.created_v1": "employment_id target_user_id{user_id open_id union_id}",
    "corehr.employment.deleted_v1": "employment_id target_user_id{user_id open_id union_id}",
    "corehr.employment.resigned_v1": "employment_id",
    "corehr.employment.updated_v1": "employment_id target_user_id{user_id open_id union_id} field_changes[]",
    "corehr.job.created_v1": "job_id",
    "corehr.job.deleted_v1": "job_id",
    "corehr.job.updated_v1": "job_id",
    "corehr.job_change.status_updated_v2": (
        "employment_id target_user_id{user_id open_id union_id} job_change_id transfer_mode# "
        "transfer_type_unique_identifier transfer_reason_unique_identifier process_id effective_date status# "
        "original_status# transfer_key details_of_job_status_change[]"
    ),
    "corehr.job_change.updated_v1": (
        "employment_id target_user_id{user_id open_id union_id} job_change_id transfer_mode# "
        "transfer_type_unique_identifier transfer_reason_unique_identifier process_id effective_date status# "
        "transfer_key"
    ),
    "corehr.job_change.updated_v2": (
        "employment_id tenant_id process_id initiator operator updated_time job_change_id status# "
        "operate_reason transfer_type# updated_fields[] transform_type transform_reason"
    ),
    "corehr.job_data.changed_v1": "job_data_id employment_id target_user_id{user_id open_id union_id} job_change_id",
    "corehr.job_data.created_v1": "job_data_id",
    "corehr.job_data.deleted_v1": "job_data_id",
    "corehr.job_data.employed_v1": "job_data_id employment_id target_user_id{user_id open_id union_id}",
    "corehr.job_data.updated_v1": "job_data_id",
    "corehr.job_family.created_v2": "job_family_id",
    "corehr.job_family.deleted_v2": "job_family_id",
    "corehr.job_family.updated_v2": "job_family_id field_changes[]",
    "corehr.job_grade.created_v2": "job_grade_id",
    "corehr.job_grade.deleted_v2": "job_grade_id",
    "corehr.job_grade.updated_v2": "job_grade_id field_changes[]",
    "corehr.job_level.created_v2": "job_level_id",
    "corehr.job_level.deleted_v2": "job_level_id",
    "corehr.job_level.updated_v2": "job_level_id field_changes[]",
    "corehr.location.created_v2": "location_id",
    "corehr.location.deleted_v2": "location_id",
    "corehr.location.updated_v2": (
        "location_id field_changes[] sub_events[]{id entity agg_entity agg_entity_id agg_entity_field "
        "opt_type# field_changes[]}"
    ),
    "corehr.offboarding.checklist_updated_v2": (
        "employment_id target_user_id{user_id open_id union_id} offboarding_id checklist_process_id checklist_status#"
    ),
    "corehr.offboarding.status_updated_v2": (
        "employment_id target_user_id{user_id open_id union_id} offboarding_id process_id status#"
    ),
    "corehr.offboarding.updated_v1": (
        "employment_id target_user_id{user_id open_id union_id} offboarding_id process_id status#"
    ),
    "corehr.offboarding.updated_v2": (
        "tenant_id offboarding_info_id process_id checklist_process_id employment_id operator status# "
        "checklist_status# updated_time updated_fields[] target_user_id{user_id open_id union_id}"
    ),
    "corehr.org_role_authorization.updated_v1": (
        "role_id management_scope_list[]{management_dimension obj_id} employment_id_list[]"
    ),
    "corehr.pathway.created_v2": "pathway_id",
    "corehr.pathway.deleted_v2": "pathway_id",
    "corehr.pathway.updated_v2": "pathway_id field_changes[]",
    "corehr.person.created_v1": "person_id",
    "corehr.person.deleted_v1": "person_id",
    "corehr.person.updated_v1": "person_id field_changes[]",
    "corehr.position.created_v2": "position_id",
    "corehr.position.deleted_v2": "position_id",
    "corehr.position.updated_v2": "position_id field_changes[]",
    "corehr.pre_hire.onboarding_task_changed_v2": (
        "tenant_id pre_hire_id onboarding_task_changes[]{after_status task_code} "
        "onboarding_flow_change{after_status} onboarding_flow_id flow_info{id name{zh_cn en_us}}"
    ),
    "corehr.pre_hire.updated_v1": "pre_hire_id field_changes[]",
    "corehr.probation.updated_v2": "employment_id probation_status actual_probation_end_date",
    "corehr.process.approver.updated_v2": (
        "process_id approver_id type# status# biz_type flow_definition_id node_definition_id node_id node_id_str"
    ),
    "corehr.process.cc.updated_v2": "process_id approver_id status# biz_type",
    "corehr.process.node.updated_v2": (
        "flow_definition_id node_definition_id process_id process_node_id node_type# node_status# biz_type"
    ),
    "corehr.process.status.update_v2": "process_id status# biz_type flow_definition_id properties#",
    "corehr.process.updated_v2": "process_id status# biz_type flow_definition_id properties#",
    "corehr.process_comment_info.updated_v2": "process_id# comment_id type#",
    "corehr.signature_file.status_updated_v2": "signature_file_id before_status after_status biz_process_id",
}
