SELECT coalesce(max(version), 0)::integer AS version FROM tide.schema_version
