"""What the methods that need PyTorch say where it is missing or too old, and that arrays need none.

Each test starts a new interpreter: this one may have imported torch.
"""

import subprocess
import sys

import pytest

USES = [
    ("to_torch", "model.to_torch()"),
    ("to_torch", "text.to_torch()"),
    ("state_dict", "model.state_dict()"),
    ("state_dict", "text.state_dict()"),
    ("load_state_dict", "model.load_state_dict({'fc.bias': Tensor()})"),
    ("load_state_dict", "text.load_state_dict({'fc.bias': Tensor()})"),
    ("pretrained", "LSTMRegressor(pretrained={'fc.bias': Tensor()}).fit([[1.0], [2.0]], [1, 2])"),
    ("Device(distributed=True)", "LSTMRegressor(device=Device(distributed=True)).fit([[1.0], [2.0]], [1, 2])"),
]
MISSING = "sys.modules['torch'] = None"
# its version is compared with tuples
OLD = """
import importlib.machinery, types
class Version(str):
    def __lt__(self, other):
        return tuple(map(int, self.split('.')[:2])) < other
old = sys.modules['torch'] = types.ModuleType('torch')
old.__version__ = Version('2.2.2+cu121')
old.__spec__ = importlib.machinery.ModuleSpec('torch', None)
"""


def message(found: str, statement: str) -> str:
    code = f"""
import sys
sys.modules['lstmforecast_torch'] = None
from lstmforecast import CharLSTM, Device, LSTMRegressor
class Tensor:
    detach = None
model = LSTMRegressor(max_epochs=1).fit([[1.0], [2.0]], [1, 2])
text = CharLSTM(sequence_length=2, max_epochs=1).fit("abc" * 20)
{found}
try:
    {statement}
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("what", "statement"), USES)
def test_without_pytorch_it_says_how_to_install_it(what: str, statement: str) -> None:
    assert message(MISSING, statement) == f"{what} needs PyTorch: pip install torch"


@pytest.mark.parametrize(("what", "statement"), USES)
def test_an_old_pytorch_is_refused(what: str, statement: str) -> None:
    got = f"{what} needs PyTorch 2.4 or later, got 2.2.2+cu121: pip install --upgrade torch"
    assert message(OLD, statement) == got


def test_arrays_are_weights_without_pytorch() -> None:
    weights = "LSTMRegressor(pretrained=model.model_.parameters(), max_epochs=1).fit([[1.0], [2.0]], [1, 2])"
    load = "print(*[each.load_state_dict(each.model_.parameters()) is each for each in (model, text)])"
    assert message(MISSING, f"{weights}; {load}") == "True True"
