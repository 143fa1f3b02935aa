"""ONNX's own operator tests on the GPU, in one process of Node: each converts and computes what it must, or is refused in
plain words. passing.txt says which pass, and `./dev bench operators` writes it.
"""

import os

import pytest

import table
from onnx_cases import all_cases, quick_subset
from run_cases import run_cases

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}
# Products take another form on a GPU than on SwiftShader, which needs seconds to compile it.
PRODUCTS = {"MatMul", "Gemm"}
QUICK_PRODUCTS = 4

QUICK_PLAIN = 150

CASES = all_cases()
PASSING = table.read_passing()
PRODUCT_CASES = [case for case in CASES if case.operators <= PRODUCTS and case.name in PASSING]
PLAIN_CASES = [case for case in CASES if case.name in PASSING]
if not ALL:
    PRODUCT_CASES = quick_subset(PRODUCT_CASES, QUICK_PRODUCTS)
    PLAIN_CASES = quick_subset(PLAIN_CASES, QUICK_PLAIN)


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.fixture(scope="module")
def product_outcomes():
    return run_cases(PRODUCT_CASES, forms="gpu")


@pytest.fixture(scope="module")
def plain_outcomes():
    return run_cases(PLAIN_CASES, device="plain")


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_operator(name, outcomes):
    assert outcomes[name].status == ("passed" if name in PASSING else "refused"), outcomes[name].message


@pytest.mark.parametrize("name", [case.name for case in PRODUCT_CASES])
def test_product_in_the_forms_of_a_gpu(name, product_outcomes):
    assert product_outcomes[name].status == "passed", product_outcomes[name].message


@pytest.mark.parametrize("name", [case.name for case in PLAIN_CASES])
def test_on_a_device_without_features(name, plain_outcomes):
    assert plain_outcomes[name].status == "passed", plain_outcomes[name].message


def test_every_passing_case_is_a_test():
    assert PASSING <= {case.name for case in CASES}


def test_nearly_all_pass():
    statuses = {case.name: "passed" if case.name in PASSING else "refused" for case in CASES}
    assert min(table.shares(CASES, statuses)) >= 97


def test_page_is_up_to_date(outcomes):
    assert table.read_section() == table.section(CASES, outcomes)
