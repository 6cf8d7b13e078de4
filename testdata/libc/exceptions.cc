// Exceptions of C++ through frames of all kinds, with destructors on the way,
// and what needs the same tables: casts by run-time type, terminate.
#include "t.h"

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

static int alive;
static std::string order;

struct Guard {
	char name;
	explicit Guard(char n) : name(n) { alive++; }
	Guard(const Guard &o) : name(o.name) { alive++; }
	~Guard()
	{
		alive--;
		order += name;
	}
};

struct Base {
	virtual ~Base() {}
	virtual int kind() const { return 1; }
};
struct Other {
	virtual ~Other() {}
	int pad = 7;
};
struct Derived : Base, Other {
	int kind() const override { return 2; }
};
struct Code : std::runtime_error {
	long long code;
	explicit Code(long long c) : std::runtime_error("code"), code(c) {}
};

__attribute__((noinline)) static int dive(int n, int bottom)
{
	Guard g('a' + n % 26);
	if (n == bottom)
		throw Code(0x123456789abcdefLL + n);
	return dive(n + 1, bottom) + 1;
}

static std::string deep(int n)
{
	order.clear();
	try {
		dive(0, n);
	} catch (const std::exception &e) {
		return std::string(e.what()) + " " + std::to_string(static_cast<const Code &>(e).code) + " " + order;
	}
	return "none";
}

static std::string nested()
{
	order.clear();
	try {
		Guard g('o');
		try {
			Guard h('i');
			throw std::out_of_range("inner");
		} catch (const std::logic_error &e) {
			Guard k('k');
			std::throw_with_nested(std::runtime_error("outer"));
		}
	} catch (const std::exception &e) {
		std::string s = e.what();
		try {
			std::rethrow_if_nested(e);
		} catch (const std::exception &n) {
			s += std::string(" of ") + n.what();
		}
		return s + " " + order;
	}
	return "none";
}

static int compare(const void *a, const void *b)
{
	if (*(const int *)a == 3)
		throw *(const int *)a;
	return *(const int *)a - *(const int *)b;
}

struct Throwing {
	Guard g{'g'};
	std::unique_ptr<Guard> p{new Guard('p')};
	Throwing() { throw 5; }
};

int main()
{
	for (int n : {0, 1, 30})
		printf("%s\n", deep(n).c_str());
	printf("%s\n", nested().c_str());

	int caught = 0;
	try {
		int v[] = {5, 4, 3, 2, 1};
		qsort(v, 5, sizeof *v, compare); // through a frame of C
	} catch (int i) {
		caught = i;
	}
	printf("through qsort %d\n", caught);

	order.clear();
	try {
		Throwing t;
	} catch (int i) {
		printf("constructor %d %s\n", i, order.c_str());
	}
	CHECK(alive == 0);

	int sum = 0;
	for (int i = 0; i < 2000; i++)
		try {
			if (i % 3 == 0)
				throw i;
			if (i % 3 == 1)
				throw (long)i;
			throw std::string("s");
		} catch (int v) {
			sum += v;
		} catch (long v) {
			sum -= (int)v;
		} catch (...) {
			sum++;
		}
	printf("sum %d\n", sum);

	std::exception_ptr kept;
	try {
		std::vector<int>(3).at(7);
	} catch (const std::out_of_range &) {
		kept = std::current_exception();
	}
	try {
		std::rethrow_exception(kept);
	} catch (const std::logic_error &) {
		printf("kept\n");
	}

	Derived d;
	Base *b = &d;
	Base plain;
	CHECK(dynamic_cast<Derived *>(b) == &d && dynamic_cast<Derived *>(&plain) == nullptr);
	CHECK(dynamic_cast<Other *>(b) != nullptr && dynamic_cast<Other *>(b)->pad == 7);
	CHECK(typeid(*b) == typeid(Derived) && typeid(plain) == typeid(Base));
	int bad = 0;
	try {
		(void)dynamic_cast<Derived &>(plain);
	} catch (const std::bad_cast &) {
		bad = 1;
	}
	CHECK(bad);
	bad = 0;
	try {
		volatile size_t n = (size_t)-1 / 2 + 1;
		std::unique_ptr<char[]> p(new char[n]);
		bad = p[0];
	} catch (const std::bad_alloc &) {
		bad = 1;
	}
	CHECK(bad);
	std::function<int(int)> f = [&](int n) { return n < 2 ? n : f(n - 1) + f(n - 2); };
	printf("lambda %d\n", f(15));
	fflush(stdout);
	std::set_terminate([] {
		puts("terminate");
		fflush(stdout);
		_exit(failures != 0);
	});
	[]() noexcept { throw 1; }();
	return 3;
}
