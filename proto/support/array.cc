#include "proto/support/array.h"
