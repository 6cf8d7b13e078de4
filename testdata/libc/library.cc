// What programs use most of the C++ library.
#include "t.h"

#include <algorithm>
#include <bitset>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <list>
#include <map>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace fs = std::filesystem;

static void containers()
{
	std::mt19937 gen(1);
	std::vector<unsigned> v(5000);
	std::generate(v.begin(), v.end(), [&] { return gen() % 10007; });
	std::map<unsigned, int> m;
	std::unordered_map<unsigned, int> u;
	std::multiset<unsigned> s(v.begin(), v.end());
	for (auto x : v)
		m[x]++, u[x]++;
	unsigned same = 0;
	for (auto &p : m)
		same += u[p.first] == p.second && s.count(p.first) == (size_t)p.second;
	std::cout << "map " << m.size() << " " << m.begin()->first << " " << m.rbegin()->first << " same " << same << "\n";
	std::stable_sort(v.begin(), v.end(), [](unsigned a, unsigned b) { return a % 100 < b % 100; });
	std::cout << "sorted " << v[0] << " " << v[2500] << " " << v.back() << "\n";
	std::nth_element(v.begin(), v.begin() + 100, v.end());
	std::cout << "nth " << v[100] << " sum " << std::accumulate(v.begin(), v.end(), 0ull) << "\n";
	std::priority_queue<unsigned> q(v.begin(), v.end());
	std::list<unsigned> l;
	std::deque<unsigned> d;
	for (int i = 0; i < 10; i++, q.pop())
		i % 2 ? l.push_front(q.top()) : d.push_back(q.top());
	l.sort();
	for (auto x : l)
		std::cout << x << ",";
	for (auto x : d)
		std::cout << x << ";";
	std::mt19937_64 wide(7);
	wide.discard(1000);
	std::cout << "\nwide " << wide() << " bits " << std::bitset<40>(wide()) << "\n";
}

static void text()
{
	std::ostringstream o;
	o << std::hex << std::showbase << 255 << " " << std::oct << 8 << std::dec << std::setw(8) << std::setfill('*') << -42 << " "
	  << std::left << std::setw(6) << "ab" << "|" << std::boolalpha << true << " " << 12345678901234567ll;
	std::cout << o.str() << "\n";
	std::istringstream in("12 0x1f word -7 99999999999999999999");
	int a = 0, c = 0;
	long long d = 0;
	std::string b, w;
	in >> a >> b >> w >> c >> d;
	std::cout << a << " " << b << " " << w << " " << c << " " << in.fail() << "\n";
	std::regex re("([a-z]+)=([0-9]+)(;|$)");
	std::string subject = "one=1;two=22;bad=;three=333";
	for (std::sregex_iterator i(subject.begin(), subject.end(), re), e; i != e; ++i)
		std::cout << (*i)[1] << " is " << (*i)[2] << "\n";
	std::cout << std::regex_replace(subject, re, "<$2>") << "\n";
	std::string s;
	for (int i = 0; i < 1000; i++)
		s.insert(s.size() / 2, std::to_string(i));
	std::cout << s.size() << " " << s.substr(1400, 20) << " " << s.find("777") << " " << std::hash<std::string>()("x") % 2 * 0 << "\n";
	std::optional<int> none;
	std::variant<int, std::string> v = "held";
	std::cout << none.value_or(3) << " " << std::get<std::string>(v) << " " << v.index() << "\n";
}

static void files()
{
	fs::create_directories("tree/a/b");
	std::ofstream("tree/a/one") << "first line\nsecond line\n";
	std::ofstream("tree/a/b/two", std::ios::binary) << std::string(10000, 'x');
	fs::copy_file("tree/a/one", "tree/three");
	fs::rename("tree/three", "tree/four");
	fs::create_symlink("a/one", "tree/link");
	std::vector<std::string> names;
	for (auto &e : fs::recursive_directory_iterator("tree"))
		names.push_back(e.path().string() + (e.is_symlink() ? "@" : e.is_directory() ? "/" : " " + std::to_string(e.file_size())));
	std::sort(names.begin(), names.end());
	for (auto &n : names)
		std::cout << n << "\n";
	std::ifstream in("tree/link");
	std::string line;
	int n = 0;
	while (std::getline(in, line))
		std::cout << ++n << ": " << line << "\n";
	std::fstream rw("tree/four", std::ios::in | std::ios::out);
	rw.seekp(6);
	rw << "LINE";
	rw.seekg(0);
	std::getline(rw, line);
	std::cout << line << " " << fs::canonical("tree/link").filename() << " " << fs::exists("tree/none") << "\n";
	fs::resize_file("tree/four", 3);
	std::cout << fs::file_size("tree/four") << " " << fs::remove_all("tree") << "\n";
	std::error_code ec;
	fs::file_size("tree", ec);
	std::cout << ec.message() << "\n";
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	containers();
	text();
	files();
	return done();
}
