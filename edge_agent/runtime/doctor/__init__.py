"""What `edge-agent doctor` looks at: one module per subject, joined in `checks`.

A check looks at one thing and says in a `Finding` what it found and, where that is wrong, what to
do. What is measured and what is made of it are two functions, so that each verdict can be tested.
"""
