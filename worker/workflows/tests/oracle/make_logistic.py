"""Expected coefficients of the logistic regression test in src/sponsor/model/tests.rs.

Needs scikit-learn 1.9.1. Prints intercept and coefficients on standardised features.
"""
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

i = np.arange(60)
a, b = (i * 37 % 60) / 60, (i * 17 % 60) / 10
success = 3 * a - 0.4 * b + (i % 7) / 7 > 1
rows = StandardScaler().fit_transform(np.c_[a, b])
fit = LogisticRegression(C=1.0, tol=1e-12, max_iter=10000).fit(rows, success)
print(f"{fit.intercept_[0]:.10f} {fit.coef_[0][0]:.10f} {fit.coef_[0][1]:.10f}")
