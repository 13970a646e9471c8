"""The engine "numpy": quantised .tflite models in plain NumPy, byte for byte as TFLite's reference.

`program.py` is the model in our own words, `plan.py` turns it once into a flat list of calls on
preallocated arrays, `engine.py` runs that list. `operators/` holds one function per operator that
writes its calls into the plan; `arithmetic.py` the fixed-point rules that they share.
"""
