"""The published schemas of what others read, by file and version. A version may gain fields, never lose or change one."""
