# %% [markdown]
# # A lasso inside a network
#
# A network of PyTorch makes features of its inputs, a lasso chooses among them, and both are trained together: the
# gradient of the loss goes through the lasso's solution into the network's weights and into the lasso's strengths.
#
#     python lasso_network.py        # needs torch

# %%
import numpy as np
import torch

from proxdiff.torch import ProxLayer

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
generator = np.random.default_rng(0)
inputs = torch.tensor(generator.normal(size=(200, 3)))
targets = torch.sin(2 * inputs[:, 0]) + inputs[:, 1].abs() + 0.1 * torch.tensor(generator.normal(size=200))
first, second = slice(0, 100), slice(100, 200)


# %% [markdown]
# The lasso is fitted to the features of one half of the rows; what is predicted is the other half.


# %%
class Network(torch.nn.Module):
    """Twenty features of the inputs, of which a lasso keeps some."""

    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(torch.nn.Linear(3, 20), torch.nn.Tanh())
        self.log_l1 = torch.nn.Parameter(torch.tensor(0.02).log())
        self.log_l2 = torch.nn.Parameter(torch.tensor(0.01).log())
        self.lasso = ProxLayer()

    def forward(self, rows, known_rows, known_targets):
        """Predictions of rows, and the coefficients."""
        known = self.features(known_rows)
        coef, intercept = self.lasso(known, known_targets, self.log_l1.exp(), self.log_l2.exp())
        return self.features(rows) @ coef + intercept, coef


network = Network()
optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
losses = []
for step in range(101):
    predictions, coef = network(inputs[second], inputs[first], targets[first])
    loss = ((predictions - targets[second]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 25 == 0:
        kept = int((coef != 0).sum())
        print(f"step {step:3d}: loss {losses[-1]:.4f}, {kept} of 20 features, l1 {network.log_l1.exp().item():.4f}")

# %%
assert losses[-1] < losses[0] / 2, losses
