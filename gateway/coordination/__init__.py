"""The DSO models as pure logic: who is told what, who is limited, and what became of it."""
