"""The demonstration: testbed and gateway as separate processes, a scene played on them, a verdict."""
