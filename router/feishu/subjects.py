SUBJECTS: dict[str, str] = {"corehr.department.updated_v2": "department_id"}
