"""What there is to learn in every course of the sandbox: one chapter, with one sequence, with one unit."""

CHAPTER, SEQUENCE, UNIT = "Week 1", "Lesson 1", "Unit 1"


def usage_keys(course_key):
    """Return the keys of course, chapter, sequence and unit."""
    blocks = [("course", "course"), ("chapter", "ch1"), ("sequential", "seq1"), ("vertical", "unit1")]
    return [course_key.make_usage_key(block_type, block_id) for block_type, block_id in blocks]
