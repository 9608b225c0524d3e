#include "../programs/chat/member.hpp" // for tests/test_fan_out.cpp
