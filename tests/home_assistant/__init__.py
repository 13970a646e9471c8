"""The agent beside a real Home Assistant, over restarts of each side.

Home Assistant is not installed with the agent, so these tests are skipped unless HA_VENV names an
environment of its own, made once with Python 3.13 (its pins are in requirements.txt):

    python3.13 -m venv ha && ha/bin/pip install -r tests/home_assistant/requirements.txt
    HA_VENV=$PWD/ha python -m tests.home_assistant

Everything listens on loopback only, and nothing is fetched while the tests run.
"""
