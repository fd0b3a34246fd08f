"""Prints what scikit-learn 1.9.1's permutation_importance finds for the table and the model of permutation.rs, by 2000 repeats.

    python permutation.py
"""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance


class Linear(RegressorMixin, BaseEstimator):
    def fit(self, x, y):
        self.coef_ = np.array([2.0, 0.0, -1.0])
        return self

    def predict(self, x):
        return x @ self.coef_


table = np.sin(0.7 * np.arange(60)).reshape(20, 3)
targets = table @ [2.0, 0.0, -1.0] + 0.1 * np.cos(np.arange(20))
found = permutation_importance(
    Linear().fit(table, targets), table, targets, n_repeats=2000, random_state=0, scoring="neg_mean_squared_error"
)
print(found.importances_mean, found.importances_std)
