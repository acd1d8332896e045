from e2kd_lab.paper import paper_results


def test_paper_numbers():
    assert paper_results("figureB").query("family == 'standard'")["value"].tolist() == [99.0, 61.2, 94.9]
    assert len(paper_results()) > 100
