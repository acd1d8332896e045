import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_torchvision_imports_after_the_lab():
    result = run("import e2kd_lab, torchvision; from torchvision import tv_tensors, models, datasets; print('ok')")
    assert result.stdout.strip() == "ok", result.stderr


def test_operators_are_declared_only_where_torchvisions_library_does_not_load():
    result = run(
        "from e2kd_lab.system import torchvision_operators as shim; import torchvision.extension as e;"
        "print(shim.declare_missing_operators() != e._has_ops())"
    )
    assert result.stdout.strip() == "True", result.stderr


def test_threads_sleep_while_they_wait_unless_the_user_said_otherwise():
    code = "import e2kd_lab, os; print(os.environ['OMP_WAIT_POLICY'])"
    assert run("import os; os.environ.pop('OMP_WAIT_POLICY', None);" + code).stdout.strip() == "PASSIVE"
    assert run("import os; os.environ['OMP_WAIT_POLICY'] = 'ACTIVE';" + code).stdout.strip() == "ACTIVE"
