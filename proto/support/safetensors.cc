#include "proto/support/safetensors.h"
