"""Keys under which the catalog's programs are cached."""

PROGRAM_CACHE_KEY_TPL = "program-{uuid}"
SITE_PROGRAM_UUIDS_CACHE_KEY_TPL = "program-uuids-{domain}"
COURSE_PROGRAMS_CACHE_KEY_TPL = "course-programs-{course_run_id}"
CATALOG_COURSE_PROGRAMS_CACHE_KEY_TPL = "catalog-course-programs-{course_uuid}"
PROGRAMS_BY_TYPE_CACHE_KEY_TPL = "programs-by-type-{site_id}-{program_type}"
PROGRAMS_BY_TYPE_SLUG_CACHE_KEY_TPL = "programs-by-type-slug-{site_id}-{program_slug}"
PROGRAMS_BY_ORGANIZATION_CACHE_KEY_TPL = "organization-programs-{org_key}"
