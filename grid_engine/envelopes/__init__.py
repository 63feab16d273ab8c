"""Operating envelopes of feeders and zones: what everybody may do at once, whoever of them does it.

`study.answer` is the entry, `words` are its question and its answer. Inside, an interval's envelopes are
shares of capability, the columns of a `box`. A `search` linearises the rows that can matter, lets a sharing
rule divide what they leave (`programme`, `fair`, `filling`), and accepts only what AC power flows confirm in
the worst corners; `proof` uses the result at random.
"""
