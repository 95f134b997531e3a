/* All kernels in single precision. */
#define real float
#define whole int32_t
#define SINGLE 1
#define NAME(name) name##_float32
#include "adam.h"
#include "block.h"
#include "gradient.h"
#include "predict.h"
