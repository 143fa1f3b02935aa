// Functions of one number in double, made of additions, products, quotients and square roots only:
// those of the C library differ from machine to machine. Relative errors are below 1e-9, far below
// a float's last bit; infinities and NaN are as in IEEE 754.
#pragma once

namespace subbyte::calibrate {

double exp_of(double x);
double expm1_of(double x);
double log_of(double x);
double log1p_of(double x);  // x > -1
// Any finite argument of float's range, reduced exactly.
double sin_of(float x);
double cos_of(float x);
double tan_of(float x);
double atan_of(double x);
double asin_of(double x);
double acos_of(double x);
double sinh_of(double x);
double cosh_of(double x);
double asinh_of(double x);
double acosh_of(double x);
double atanh_of(double x);
double tanh_of(double x);
double pow_of(double x, double y);

}  // namespace subbyte::calibrate
