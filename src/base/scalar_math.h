// Functions of one number in double, made of additions, products, quotients and square roots only:
// those of the C library differ from machine to machine, and what is folded, measured or made must
// not. Relative errors are below 1e-9, far below a float's last bit; infinities and NaN are as in
// IEEE 754.
#pragma once

namespace subbyte {

double exp_of(double x);
double expm1_of(double x);
double log_of(double x);
double log1p_of(double x);  // x > -1
double log10_of(double x);
double erf_of(double x);
// Any finite argument of float's range, reduced exactly.
double sin_of(float x);
double cos_of(float x);
double tan_of(float x);
// The same of doubles. What is no float and above 2^20 is left to the C library.
double sin_of(double x);
double cos_of(double x);
double tan_of(double x);
double atan_of(double x);
double asin_of(double x);
double acos_of(double x);
double sinh_of(double x);
double cosh_of(double x);
double asinh_of(double x);
double acosh_of(double x);
double atanh_of(double x);
double tanh_of(double x);
// Exact where x is multiplied with itself a few times, and a square root where y is 0.5.
double pow_of(double x, double y);

}  // namespace subbyte
