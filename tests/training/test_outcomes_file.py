import pytest

from e2kd_lab.system.errors import RunError
from e2kd_lab.training.metrics_file import read_metrics
from e2kd_lab.training.outcomes_file import read_outcomes

OUTCOMES = "index,label,group,prediction,explanation_cosine\n0,1,-1,1,0.5\n1,0,-1,1,\n"
METRICS = "step,epoch,split,group,metric,value\n2,1,test,all,accuracy,50.0\n2,1,test,WW,accuracy,\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("prediction", "p", "lacks the column 'prediction'"),
        ("0,1,-1,1,0.5", "0,1,-1,acme,0.5", "something else than whole numbers in its column 'prediction'"),
        ("0,1,-1,1,0.5", "0,1,-1,1.5,0.5", "something else than whole numbers in its column 'prediction'"),
        ("0,1,-1,1,0.5", "0,,-1,1,0.5", "something else than whole numbers in its column 'label'"),
        ("0.5", "acme", "something else than numbers in its column 'explanation_cosine'"),
        ("0,1,-1", "7,1,-1", "rows of the images .*expected 0, 1, 2"),
        (OUTCOMES, "", "cannot be read"),
        ("1,0,", '1,"0,', "cannot be read"),
    ],
)
def test_damaged_outcomes_are_a_sentence(tmp_path, old, new, says):
    path = tmp_path / "outcomes-test.csv"
    path.write_text(OUTCOMES)
    assert list(read_outcomes(path)["prediction"]) == [1, 1]
    path.write_text(OUTCOMES.replace(old, new))
    with pytest.raises(RunError, match=rf"outcomes-test\.csv .*{says}"):
        read_outcomes(path)
    path.write_bytes(b"index,\xff")
    with pytest.raises(RunError, match="cannot be read"):
        read_outcomes(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("2,1,test,all", "two,1,test,all", "a value that is not a number"),
        ("2,1,test,all", "2.5,1,test,all", "a value that is not a number"),
        ("2,1,test,all", "99999999999999999999,1,test,all", "a value that is not a number"),
        ("50.0", "many", "a value that is not a number"),
        (",WW,", ",,", "line 3: a name is missing"),
        ("epoch", "e", "has the columns step, e"),
        ("2,1,test,WW", '2,1,"test,WW', "cannot be read"),
        (METRICS, "", "cannot be read"),
    ],
)
def test_damaged_metrics_are_a_sentence_on_one_line(tmp_path, old, new, says):
    path = tmp_path / "metrics.csv"
    path.write_text(METRICS)
    assert read_metrics(path)["value"].isna().tolist() == [False, True]
    path.write_text(METRICS.replace(old, new, 1))
    with pytest.raises(RunError, match=rf"metrics\.csv.*{says}") as error:
        read_metrics(path)
    assert len(str(error.value).splitlines()) == 1
