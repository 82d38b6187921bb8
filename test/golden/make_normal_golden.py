"""Writes normal_cdf.json: places and the standard normal distribution function there, by SciPy. Run: python make_normal_golden.py"""
import json
from pathlib import Path

from scipy.stats import norm

places = [-37, -30, -20, -8, -5.7, -5.6, -3, -1, -0.67, -0.66, -0.1, 0, 0.3, 0.6629, 0.67, 1.5, 4, 5.65, 5.66, 8]
path = Path(__file__).with_name("normal_cdf.json")
path.write_text(json.dumps([[z, float(norm.cdf(z))] for z in places]) + "\n")
