#!/usr/bin/env python3
"""Writes calendar.json: milestones and working-day counts of 350 random deadlines, by numpy and Python's holidays.

Run: python3 -m venv V && V/bin/pip install numpy==2.4.6 holidays==0.109 && V/bin/python make_calendar.py
Each case: region, as_of, deadline, own holidays, and what numpy's busday functions say with the published holidays.
"""
import datetime
import json
import pathlib
import random

import holidays
import numpy as np

OFFSETS = [90, 60, 30, 14, 7, 1]
REGIONS = ["US", "GB-ENG", "GB-SCT", "GB-NIR", "IE", "CA-ON", "DE-BY", "FR", "NL", "AU-NSW", "US-TX",
           "ES", "ES-MD", "IT", "JP", "IN-KA", "CH-ZH", "AT", "BE", "PT", "SE", "NO", "DK", "FI", "PL", "CZ", "BR", "BR-SP", "MX",
           "NZ-AUK", "ZA", "KE", "NG", "SG", "KR"]


def main():
    assert (np.__version__, holidays.__version__) == ("2.4.6", "0.109")
    rng = random.Random(20261123)
    cases = []
    for i in range(350):
        region = REGIONS[i % len(REGIONS)]
        country, _, subdivision = region.partition("-")
        deadline = datetime.date(2021, 6, 1) + datetime.timedelta(days=rng.randrange(19 * 365))
        as_of = deadline - datetime.timedelta(days=rng.randrange(-30, 400))
        table = holidays.country_holidays(country, subdiv=subdivision or None, years=range(2020, 2041))
        extra = [deadline - datetime.timedelta(days=rng.randrange(100)) for _ in range(rng.randrange(3))]
        weekend = rng.choice([["sat", "sun"], ["sat", "sun"], ["fri", "sat"], ["sun"]])
        mask = "".join("0" if d in weekend else "1" for d in ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
        calendar = np.busdaycalendar(weekmask=mask, holidays=sorted(set(list(table) + extra)))
        buffer = rng.randrange(6)

        def roll(day, offset=0):
            return np.busday_offset(day, offset, roll="backward", busdaycal=calendar)

        milestones = []
        for offset in OFFSETS:
            date = roll(np.datetime64(deadline) - np.timedelta64(offset, "D"))
            milestones.append([offset, str(date), int(np.busday_count(as_of, date, busdaycal=calendar))])
        cases.append({"country": region, "as_of": str(as_of), "deadline": str(deadline), "weekend": weekend,
                      "holidays": [str(d) for d in extra], "buffer": buffer, "milestones": milestones,
                      "target": str(roll(deadline, -buffer)),
                      "count": int(np.busday_count(as_of, deadline, busdaycal=calendar))})
    text = json.dumps(cases, separators=(",", ":"))
    pathlib.Path(__file__).with_name("calendar.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
